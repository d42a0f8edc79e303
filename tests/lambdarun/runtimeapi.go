package lambdarun

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Error is how an invocation failed. Its type is the function's own, or one of
// Lambda's: Runtime.ExitError, Sandbox.Timedout, Function.ResponseSizeTooLarge.
type Error struct {
	Function, Type, Message string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("function %s: %s: %s", e.Function, e.Type, e.Message)
}

func newInvocation(event []byte) *invocation {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return &invocation{
		id:    fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]),
		trace: fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=1", time.Now().Unix(), b[:12], b[8:]),
		event: event, taken: make(chan struct{}), done: make(chan outcome, 1),
	}
}

// routes is the Runtime API of one instance, version 2018-06-01.
func (i *Instance) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", i.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", i.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", i.serveError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", i.serveInitError)
	return mux
}

// serveNext waits for an event. A process that went away meanwhile gets none,
// and one that asks again has not got the one that it was sent.
func (i *Instance) serveNext(w http.ResponseWriter, r *http.Request) {
	i.note(&i.start.Init)
	inv, changed := i.get()
	for inv == nil {
		select {
		case <-r.Context().Done():
			return
		case <-changed:
			inv, changed = i.get()
		}
	}
	h := w.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Trace-Id", inv.trace)
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:"+i.function.cfg.Name)
	h.Set("Content-Type", "application/json")
	_, _ = w.Write(inv.event) // a process that can't read it ends, or asks again
}

// note keeps how long after launching something happened first.
func (i *Instance) note(first *time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if *first == 0 {
		*first = time.Since(i.began)
	}
}

func (i *Instance) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case err != nil:
		return // the process is gone
	case len(body) > maxPayload:
		i.end(w, r, http.StatusRequestEntityTooLarge, outcome{err: i.function.failed("Function.ResponseSizeTooLarge", "the answer has more than 6 MiB")})
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		text, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body")) // without it the type is enough
		i.end(w, r, http.StatusAccepted, outcome{err: i.function.failed(r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), string(text))})
	default:
		i.end(w, r, http.StatusAccepted, outcome{answer: body})
	}
}

func (i *Instance) serveError(w http.ResponseWriter, r *http.Request) {
	i.end(w, r, http.StatusAccepted, outcome{err: i.read(r)})
}

// serveInitError keeps why the process could not start; it ends by itself.
func (i *Instance) serveInitError(w http.ResponseWriter, r *http.Request) {
	e := i.read(r)
	i.mu.Lock()
	i.broken = e
	i.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (i *Instance) read(r *http.Request) *Error {
	var e messages.InvokeResponse_Error
	if err := json.NewDecoder(io.LimitReader(r.Body, maxPayload)).Decode(&e); err != nil {
		return i.function.failed("Runtime.Unknown", "the error can't be read: "+err.Error())
	}
	return i.function.failed(e.Type, e.Message)
}

// end answers the process and then the one who invoked it.
func (i *Instance) end(w http.ResponseWriter, r *http.Request, status int, o outcome) {
	if !i.answered(r.PathValue("id"), o) {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"there is no such invocation"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(status)
}
