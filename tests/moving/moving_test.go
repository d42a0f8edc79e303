// Package moving_test moves a history from one machine to AWS and back, with
// the command line as people have it, and compares everything.
package moving_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/handoff/cli"
	"handoff/infra/cloud"
	"handoff/infra/embedded"
	"handoff/infra/eventlog"
	"handoff/infra/keyring"
	"handoff/infra/settings"
	"handoff/tests/awstest"
)

const conversations = 40

// machine is a data directory with its master key elsewhere.
type machine struct{ data, key string }

func newMachine(t *testing.T) machine {
	t.Helper()
	dir := t.TempDir()
	return machine{filepath.Join(dir, "data"), filepath.Join(dir, "master.key")}
}

// with calls do with the open data directory, as a server would have it.
func (m machine) with(t *testing.T, do func(*embedded.Engine)) {
	t.Helper()
	e, err := embedded.Open(t.Context(), embedded.Options{Dir: m.data, KeyFile: m.key, Tenant: "default", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	do(e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// run runs a command on the machine and returns what it printed.
func (m machine) run(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := map[string]string{"HANDOFF_DATA_DIR": m.data, "HANDOFF_KEY_FILE": m.key}
	code := cli.Main(t.Context(), cli.Process{
		Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now, Version: "test",
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Home: settings.Home{},
	})
	if code != 0 {
		t.Fatalf("handoff %s: code %d\n%s%s", strings.Join(args, " "), code, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// fill has conversations with contexts of every size, and returns the key of an
// administrator.
func (m machine) fill(t *testing.T) (token string) {
	t.Helper()
	m.with(t, func(e *embedded.Engine) {
		var err error
		if token, _, err = e.Keyring.APIKeys().Issue(t.Context(), keyring.NewKey{Tenant: "default", Role: identity.Admin}); err != nil {
			t.Fatal(err)
		}
		for i := range conversations {
			converse(t, e, i)
		}
		erased, err := e.Keyring.StreamID("default", events.KindConversation, "store-bot", "0")
		if err == nil {
			err = e.Keyring.Destroy(t.Context(), "default", events.NewKeyID(erased, 0))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	return token
}

func phrase(i int) string { return fmt.Sprintf("secret-%d %s", i, slog.GroupValue(slog.Int("n", i))) }

func converse(t *testing.T, e *embedded.Engine, i int) {
	t.Helper()
	id, err := e.Keyring.StreamID("default", events.KindConversation, "store-bot", fmt.Sprint(i))
	if err != nil {
		t.Fatal(err)
	}
	at := eventlog.Stream{ID: id, Tenant: "default", Connection: "store-bot"}
	raised := events.EscalationRaised{
		RaisedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Topic: "A & B", Request: events.Request{ID: "r", Fingerprint: "f"},
		Context: &events.Context{ConversationID: fmt.Sprint(i), LastPhrase: phrase(i), Summary: incompressible(i % 4 * 9000)},
	}
	for _, cmd := range []eh.Command{
		conversation.Raise{To: conversation.To(id), Fact: raised, Route: &events.EscalationRouted{Connection: "store-bot", Queue: events.Queue{ID: "refunds"}}},
		conversation.Report{To: conversation.To(id), Number: 1, Status: conversation.Accepted},
	} {
		if _, err := eventlog.Execute(t.Context(), e.Ledger, conversation.Decider, at, eventlog.Origin{}, func(conversation.State) (eh.Command, error) { return cmd, nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// incompressible returns text that takes its size when it is sealed, too.
func incompressible(size int) string {
	var b strings.Builder
	for n := uint64(88172645463325252); b.Len() < size; {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
		fmt.Fprintf(&b, "%x", n)
	}
	return b.String()
}

// check wants everything that fill made, readable with the keys that are there.
func (m machine) check(t *testing.T, token string) {
	t.Helper()
	m.with(t, func(e *embedded.Engine) {
		if p, err := e.Keyring.APIKeys().Authenticate(t.Context(), token); err != nil || p.Role != identity.Admin {
			t.Errorf("the administrator's key: %+v, %v", p, err)
		}
		for i := range conversations {
			id, err := e.Keyring.StreamID("default", events.KindConversation, "store-bot", fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			for o, err := range e.Ledger.ReadOpen(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				f, ok := o.Fact.(*events.EscalationRaised)
				if ok && o.Erased != (i == 0) || ok && !o.Erased && f.Context.LastPhrase != phrase(i) {
					t.Errorf("conversation %d: erased %v, context %+v", i, o.Erased, f.Context)
				}
			}
		}
	})
}

func (m machine) verify(t *testing.T, more ...string) string {
	t.Helper()
	var v struct {
		OK    bool   `json:"ok"`
		Facts int    `json:"facts"`
		Head  string `json:"head"`
	}
	out := m.run(t, append([]string{"verify", "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil || !v.OK || v.Facts != 3*conversations {
		t.Fatalf("verify = %s, %v", out, err)
	}
	return v.Head
}

func TestFromOneMachineToAnother(t *testing.T) {
	t.Parallel()
	from, to, dir := newMachine(t), newMachine(t), filepath.Join(t.TempDir(), "moving")
	token := from.fill(t)
	from.run(t, "export", dir)
	to.run(t, "import", dir)
	to.run(t, "import", dir) // again: nothing happens
	to.check(t, token)
	if a, b := from.verify(t, "--data", from.data), to.verify(t, "--data", to.data); a != b {
		t.Errorf("heads %s and %s differ", a, b)
	}
}

// TestToAWSAndBack sets variables of the process, as whoever uses AWS's tools
// does, so it does not run beside others.
func TestToAWSAndBack(t *testing.T) { //nolint:paralleltest // see above
	engine := awstest.Get(t, awstest.MiniStack)
	setCredentials(t, engine)
	stack := newStack(t, engine)
	from, to := newMachine(t), newMachine(t)
	there, back := filepath.Join(t.TempDir(), "there"), filepath.Join(t.TempDir(), "back")
	token := from.fill(t)
	from.run(t, "export", there)
	from.run(t, "import", there, "--stack", stack)
	from.run(t, "import", there, "--stack", stack)
	head := from.verify(t, "--stack", stack)
	from.run(t, "export", back, "--stack", stack)
	to.run(t, "import", back)
	to.check(t, token)
	if a, b := from.verify(t, "--data", from.data), to.verify(t, "--data", to.data); a != head || b != head {
		t.Errorf("heads %s here, %s on AWS, %s back differ", a, head, b)
	}
	if out := from.run(t, "verify", "--stack", stack, "--against", head); !strings.Contains(out, "the same") {
		t.Errorf("against its own head: %s", out)
	}
}

// TestAFeedIsCompletedFromTheLog appends what no indexer is told of.
func TestAFeedIsCompletedFromTheLog(t *testing.T) { //nolint:paralleltest // as above
	engine := awstest.Get(t, awstest.MiniStack)
	setCredentials(t, engine)
	stack := newStack(t, engine)
	c, err := cloud.OpenStack(t.Context(), stack, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.NewKeyring(t.Context())
	if err == nil {
		err = keys.EnsureTenant(t.Context(), "default")
	}
	if err != nil {
		t.Fatal(err)
	}
	history := c.History()
	e := &embedded.Engine{Keyring: keys, Ledger: eventlog.NewLedger(history, events.Register(), keys, time.Now, rand.Text)}
	for i := range 3 {
		converse(t, e, i)
	}
	m := newMachine(t)
	for _, want := range []string{"9 facts", "0 facts"} {
		if out := m.run(t, "reindex", "--stack", stack); !strings.Contains(out, want) {
			t.Errorf("reindex = %q, want %s", out, want)
		}
	}
	if last, err := history.Last(t.Context()); err != nil || last != 9 {
		t.Errorf("the feed ends at %d, %v, want 9", last, err)
	}
}

func setCredentials(t *testing.T, engine awstest.Engine) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": engine.Endpoint, "AWS_REGION": engine.Config().Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
}

// newStack makes what a stack consists of, as far as a history needs it.
func newStack(t *testing.T, e awstest.Engine) (name string) {
	t.Helper()
	name = awstest.Name("stack")
	values, err := json.Marshal(map[string]string{
		cloud.LogTable: e.LogTable(t), cloud.IndexTable: e.Table(t, "index"), cloud.KeysTable: e.Table(t, "keys"), cloud.BlobsBucket: e.Bucket(t),
		cloud.SecretsPath: "/handoff/" + name, cloud.KMSKey: "alias/aws/ssm",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ssm.NewFromConfig(e.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/handoff/" + name + "/stack"), Value: aws.String(string(values)), Type: types.ParameterTypeString,
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
