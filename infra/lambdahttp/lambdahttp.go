// Package lambdahttp serves an http.Handler from a Lambda function that stands
// behind an HTTP API of API Gateway or has a function URL. Both send the same
// event, payload format version 2.0 (API Gateway developer guide, "Create AWS
// Lambda proxy integrations for HTTP APIs").
//
// The handler sees what it would see of net/http: path and query as they were
// sent, the raw body, the caller's address. What differs is that an answer is
// collected before it is sent and has a limit; see MaxAnswer. Nothing of this
// has run on AWS yet: it was tested with events as the guide shows them.
package lambdahttp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/infra/httpapi"
)

// gatewayTime is what an answer may take behind API Gateway, which gives a
// function 30 seconds (quotas of HTTP APIs, "Maximum integration timeout") and
// then answers itself, with nothing that helps anybody. A function URL waits as
// long as the function runs.
const gatewayTime = 29 * time.Second

// Serve has h answer a request. It always returns an answer: what can't be
// answered as h would becomes a problem. A panic of h is not caught, except
// http.ErrAbortHandler, after which there is no answer of h's to send.
func Serve(ctx context.Context, h http.Handler, e lambdaevents.APIGatewayV2HTTPRequest) lambdaevents.APIGatewayV2HTTPResponse {
	if !strings.Contains(e.RequestContext.DomainName, ".lambda-url.") {
		timed, cancel := context.WithTimeout(ctx, gatewayTime)
		defer cancel()
		ctx = timed
	}
	r, err := newRequest(ctx, e)
	if err != nil {
		slog.InfoContext(ctx, "request not understood", "error", err)
		return problem(e, http.StatusBadRequest, "request-unreadable", "The request can't be read", "The path or the body of the request can't be read.")
	}
	w := newAnswer()
	if !finishes(h, w, r) {
		return problem(e, http.StatusInternalServerError, "internal", "Something went wrong here", "It was recorded. Quote the trace when you report it.")
	}
	out, err := w.send(r)
	if err != nil {
		slog.ErrorContext(ctx, "answer not sent", "method", r.Method, "route", r.Pattern, "error", err)
		return problem(e, http.StatusInternalServerError, "answer-too-large", "The answer is too large",
			"The answer is larger than a Lambda function can send. Ask for less at once, or for a compressed answer with Accept-Encoding: gzip.")
	}
	return out
}

// finishes runs the handler and reports whether it came to its end.
func finishes(h http.Handler, w http.ResponseWriter, r *http.Request) (done bool) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case errors.Is(asError(v), http.ErrAbortHandler):
			done = false
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return true
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

// problem is an answer that the handler has no part in.
func problem(e lambdaevents.APIGatewayV2HTTPRequest, status int, code, title, detail string) lambdaevents.APIGatewayV2HTTPResponse {
	p := httpapi.Problem{
		Type: "/problems/" + code, Title: title, Status: status, Detail: detail, Code: code, Trace: e.RequestContext.RequestID,
	}
	body, err := json.Marshal(p)
	if err != nil { // a struct of texts and numbers
		panic(err)
	}
	return lambdaevents.APIGatewayV2HTTPResponse{
		StatusCode: status, Body: string(body), Headers: map[string]string{
			"Content-Type": httpapi.MediaProblem, "Cache-Control": "no-store", httpapi.HeaderRequestID: p.Trace,
		},
	}
}
