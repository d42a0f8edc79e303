// Package hubtest holds a fake of Microsoft's cloud to the facts of the
// protocols: one sentence a check, over HTTP, as a client sees it. It also
// starts the fake for tests of those clients.
package hubtest

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/signing"
)

// Morning is when the clock of a bench starts.
func Morning() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

// Bench is a running cloud whose time stands until it is moved.
type Bench struct {
	*simulation.Running
	T     *testing.T
	Clock *clock.Manual

	witness *Witness // of what the test asks
}

// Start starts the example cloud, changed as the test likes, and stops it at
// the end of the test.
func Start(t *testing.T, change ...func(*simulation.Config)) *Bench {
	t.Helper()
	c := clock.NewManual(Morning())
	config := simulation.Example(c)
	config.Keys = borrowed()
	config.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	for _, f := range change {
		f(&config)
	}
	cloud, err := simulation.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, err := cloud.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := r.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &Bench{r, t, c, &Witness{T: t, Next: http.DefaultTransport}}
}

// keyring is keys that the clouds of one run share: making them would take most
// of the time of the tests.
var keyring = sync.OnceValues(func() (all [6]*rsa.PrivateKey, err error) {
	for i := range all {
		if all[i], err = signing.Generate(); err != nil {
			return all, err
		}
	}
	return all, nil
})

// borrowed returns a source of different keys for one cloud.
func borrowed() signing.Source {
	var next atomic.Int32
	return func() (*rsa.PrivateKey, error) {
		all, err := keyring()
		return all[int(next.Add(1))%len(all)], err
	}
}

// Answer is what a host answered.
type Answer struct {
	Status int
	Header http.Header
	Body   map[string]any // nil where it is no JSON object
	Text   string
}

// At returns what stands under a path of members, such as "error/code"; nil
// where nothing does. A number is an index.
func (a Answer) At(path string) any {
	var v any = a.Body
	for name := range strings.SplitSeq(path, "/") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i := int(name[0] - '0')
			if len(name) != 1 || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// Len returns the length of the list under a path, -1 where there is none.
func (a Answer) Len(path string) int {
	if l, ok := a.At(path).([]any); ok {
		return len(l)
	}
	return -1
}

// String returns the text under a path, "" where there is none.
func (a Answer) String(path string) string {
	s, _ := a.At(path).(string)
	return s
}

// Request is what a test asks a host.
type Request struct {
	Method, URL, Token string
	Header             map[string]string
	Body               any // nil: none; a string: as it is; url.Values: a form; else JSON
}

// Do asks. It ends the test where no answer comes.
func (b *Bench) Do(q Request) Answer {
	b.T.Helper()
	a, err := b.Try(q)
	if err != nil {
		b.T.Fatal(err)
	}
	return a
}

// Try asks, and returns what went wrong with the connection.
func (b *Bench) Try(q Request) (Answer, error) {
	b.T.Helper()
	var body io.Reader
	kind := "application/json; charset=utf-8"
	switch given := q.Body.(type) {
	case nil:
		kind = ""
	case string:
		body = strings.NewReader(given)
	case url.Values:
		body, kind = strings.NewReader(given.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(given)
		if err != nil {
			b.T.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.T.Context(), q.Method, q.URL, body)
	if err != nil {
		b.T.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if q.Token != "" {
		r.Header.Set("Authorization", "Bearer "+q.Token)
	}
	for name, v := range q.Header {
		if r.Header.Set(name, v); name == "Host" {
			r.Host = v
		}
	}
	if b.T.Context().Err() != nil {
		b.T.Fatal("the test is over")
	}
	answer, err := (&http.Client{Timeout: 30 * time.Second, Transport: b.witness}).Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	a := Answer{Status: answer.StatusCode, Header: answer.Header, Text: string(text)}
	_ = json.Unmarshal(text, &a.Body)
	return a, err
}

// Ask asks for a token.
func (b *Bench) Ask(tenant string, form url.Values) Answer {
	b.T.Helper()
	return b.Do(Request{Method: "POST", URL: b.URLs.Login + "/" + tenant + "/oauth2/v2.0/token", Body: form})
}

// Credentials is the form with which an application asks for a token.
func Credentials(client, secret, scope string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {scope}}
}

// Token returns an access token for a resource.
func (b *Bench) Token(client, secret, resource string) string {
	b.T.Helper()
	a := b.Ask(simulation.TenantID, Credentials(client, secret, resource+"/.default"))
	if a.Status != http.StatusOK {
		b.T.Fatalf("token for %s: %d %s", resource, a.Status, a.Text)
	}
	return a.String("access_token")
}

// Installer returns the installer's token for a resource.
func (b *Bench) Installer(resource string) string {
	b.T.Helper()
	return b.Token(simulation.InstallerID, simulation.InstallerSecret, resource)
}

// Want ends the test where an answer has not the status, and, unless it is
// empty, not the code of an error.
func (b *Bench) Want(a Answer, status int, code string) {
	b.T.Helper()
	got := a.String("error/code")
	if got == "" {
		got = a.String("error")
	}
	if a.Status != status || code != "" && got != code {
		b.T.Fatalf("answer = %d %q, want %d %q\n%s", a.Status, got, status, code, a.Text)
	}
}

// Run holds a fake to all the facts. Start is called once a check.
func Run(t *testing.T, start func(*testing.T, ...func(*simulation.Config)) *Bench) {
	t.Helper()
	for host, checks := range map[string]map[string]func(*testing.T, Opener){
		"login": login, "graph": graph, "script": script, "azure": azure, "dataverse": dataverse, "discovery": discovery, "directline": directline, "contract": contract, "external": external, "omnichannel": omnichannel, "routing": routing, "pages": pages, "livechat": livechat, "native": native,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			for sentence, check := range checks {
				t.Run(sentence, func(t *testing.T) {
					t.Parallel()
					check(t, start)
				})
			}
		})
	}
}

// Opener starts a cloud for a check.
type Opener = func(*testing.T, ...func(*simulation.Config)) *Bench
