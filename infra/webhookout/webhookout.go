// Package webhookout sends events to endpoints: one attempt, one outcome.
//
// An event travels as a CloudEvent in binary mode (CloudEvents HTTP binding
// 1.0.2 §3.1) with the headers of Standard Webhooks 1.0.0. The webhook-id is
// the event's id on every attempt, so a receiver that drops ids it has seen
// takes each event once; the timestamp and the signatures are of the attempt.
//
// Every way to fail has a stable code. Whether and when to try again is decided
// elsewhere: an outcome is a plain value and no error.
package webhookout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/infra/standardwebhooks"
)

// Secrets finds the signing secrets of an endpoint, all that are in force.
type Secrets interface {
	Secrets(ctx context.Context, tenant, connection, endpoint string) ([]standardwebhooks.Secret, error)
}

// Sender sends events. It is safe for concurrent use.
type Sender struct {
	client  *http.Client
	secrets Secrets
	agent   string
	now     func() time.Time
}

// NewSender returns a sender that posts with client, which package safehttp
// makes, and calls itself Handoff/version.
func NewSender(client *http.Client, secrets Secrets, version string, now func() time.Time) *Sender {
	return &Sender{client: client, secrets: secrets, agent: "Handoff/" + version, now: now}
}

// Send makes one attempt. It fails only where no attempt could be made, such as
// when the secrets can't be read; that is not the endpoint's doing.
func (s *Sender) Send(ctx context.Context, to delivery.Endpoint, e emission.Event) (delivery.Outcome, error) {
	secrets, err := s.secrets.Secrets(ctx, to.Tenant, to.Connection, to.ID)
	if err != nil {
		return delivery.Outcome{}, fmt.Errorf("secrets of endpoint %s of %s: %w", to.ID, to.Connection, err)
	}
	if len(secrets) == 0 {
		return delivery.Outcome{}, fmt.Errorf("endpoint %s of %s has no secret to sign with", to.ID, to.Connection)
	}
	started := s.now()
	o := delivery.Outcome{StartedAt: started}
	req, err := s.request(ctx, to, e, secrets, started)
	if err != nil {
		o.Code = codeURL
		return o, nil //nolint:nilerr // it is the outcome: the URL was stored by an earlier version that took it
	}
	resp, err := s.client.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return o, fmt.Errorf("send %s: %w", e.ID, ctx.Err()) // we stopped, not the endpoint
	case err != nil:
		o.Code = codeOf(err)
	default:
		s.read(resp, &o)
	}
	o.Duration = s.now().Sub(started)
	return o, nil
}

func (s *Sender) request(ctx context.Context, to delivery.Endpoint, e emission.Event, secrets []standardwebhooks.Secret, at time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(e.Data))
	if err != nil {
		return nil, err
	}
	h := req.Header
	// Lets net/http repeat a request whose idle connection the endpoint had
	// closed; empty, it is not sent (net/http.Transport). Ids make it safe.
	h["Idempotency-Key"] = []string{}
	for _, a := range e.Attributes() {
		h.Set("ce-"+a.Name, percentEncode(a.Value))
	}
	if e.TraceParent != "" {
		h.Set("traceparent", percentEncode(e.TraceParent))
	}
	h.Set("content-type", "application/json")
	h.Set("user-agent", s.agent)
	h.Set(standardwebhooks.HeaderID, e.ID)
	h.Set(standardwebhooks.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderSignature, standardwebhooks.SignAll(secrets, e.ID, at, e.Data))
	return req, nil
}

// read takes what counts of an answer. Its body is read to its end or limit, so
// that the connection can be used again, and means nothing.
func (s *Sender) read(resp *http.Response, o *delivery.Outcome) {
	_, _ = io.Copy(io.Discard, resp.Body) // the status was received, so the attempt is decided
	_ = resp.Body.Close()
	o.Status = resp.StatusCode
	o.Code = codeOfStatus(resp.StatusCode)
	o.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), s.now())
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3), 0 for neither.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 365 * 24 * 3600
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// percentEncode encodes an attribute's value for a header (CloudEvents HTTP
// binding 1.0.2 §3.1.3.2).
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
