package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	simclock "handoff/infra/microsoft/simulation/clock"
	"handoff/tests/awstest"
	"handoff/tests/lambdarun"
	"handoff/tests/lambdarun/cfn"
)

// onBoth runs a scenario on one machine and on AWS. It is for scenarios that
// speak HTTP only; whoever looks into files, moves the clock or asks the system
// itself begins with start.
//
// On AWS all scenarios share one deployment of template.yaml, which takes half a
// minute to build, and each has a tenant of its own. They take turns: only so can
// one wait until nothing is under way any more.
func onBoth(t *testing.T, scenario func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("one machine", func(t *testing.T) {
		t.Parallel()
		scenario(t, start(t))
	})
	t.Run("AWS", func(t *testing.T) {
		t.Parallel()
		scenario(t, startOnAWS(t, awstest.Get(t, awstest.MiniStack)))
	})
}

// awsPatience is patience where an emulator answers, which does one thing at a
// time.
const awsPatience = 2 * time.Minute

// deployment is template.yaml on an emulator, made when it is first needed.
type deployment struct {
	turn chan struct{} // one takes it at a time

	cloud *lambdarun.Cloud
	err   error
	dir   string
	log   *tail
	dead  map[string]int // what failed for good, as of the last scenario
	tried bool

	microsoft *simulation.Running // that hubs and bots are in
	close     context.CancelFunc  // ends it

	position int64 // of the last fact that a scenario saw

	again    atomic.Int64 // how many of a thousand batches of the stream come twice
	repeated atomic.Int64 // how many did
}

var shared = &deployment{turn: make(chan struct{}, 1), log: &tail{}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.remove(); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// take returns the deployment when it is this test's turn, which lasts until the
// test ends.
func (d *deployment) take(t *testing.T, e awstest.Engine) *lambdarun.Cloud {
	t.Helper()
	select {
	case d.turn <- struct{}{}:
		t.Cleanup(func() { <-d.turn })
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	if !d.tried {
		d.tried = true
		d.cloud, d.err = d.launch(t, e)
	}
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.cloud
}

func (d *deployment) launch(t *testing.T, e awstest.Engine) (*lambdarun.Cloud, error) {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		return nil, err
	}
	template, err := cfn.Parse(text, map[string]string{"AllowPrivate": "127.0.0.0/8", "Protect": "false", "BusEvents": "thin", "Geography": "Europe"})
	if err != nil {
		return nil, err
	}
	if d.dir, err = os.MkdirTemp("", "handoff-e2e-"); err != nil { //nolint:usetesting // it outlives the test that needed it first
		return nil, err
	}
	if err := d.simulate(); err != nil {
		return nil, err
	}
	bootstraps, err := lambdarun.BuildAll(t.Context(), d.dir, template)
	if err != nil {
		return nil, err
	}
	return lambdarun.Launch(t.Context(), lambdarun.Plan{
		Engine: e, Template: template, Bootstraps: bootstraps, Log: d.log,
		Env:         map[string]string{"HANDOFF_MICROSOFT_SIMULATION": d.microsoft.URLs.Control},
		Concurrency: map[string]int{"webhook": 4, "api": 4, "deliver": 4, "relay": 4, "publisher": 2, "indexer": 2},
		Stream:      func(s *lambdarun.Stream) { s.Shards, s.Again = 2, d.twice },
		Change: func(resource string, p map[string]any) {
			if resource == "DisconnectedAgain" {
				p["DelaySeconds"] = 3 // instead of 90
			}
		},
	})
}

// simulate starts the fake of Microsoft's cloud.
func (d *deployment) simulate() error {
	config := simulation.Example(simclock.Real(time.Now))
	simulation.ConnectedNatively(&config)
	cloud, err := simulation.New(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.close = cancel
	d.microsoft, err = cloud.Start(ctx)
	return err
}

// twice is a Stream's Again.
func (d *deployment) twice() bool {
	yes := rand.Int64N(1000) < d.again.Load()
	if yes {
		d.repeated.Add(1)
	}
	return yes
}

func (d *deployment) remove() (err error) {
	if d.cloud != nil {
		err = d.cloud.Close()
	}
	if d.microsoft != nil {
		d.close()
		err = errors.Join(err, d.microsoft.Wait())
	}
	if d.dir != "" {
		err = errors.Join(err, os.RemoveAll(d.dir))
	}
	return err
}

// startOnAWS returns a world of a new tenant in the deployment.
func startOnAWS(t *testing.T, e awstest.Engine) *world {
	t.Helper()
	cloud := shared.take(t, e)
	w := newWorld(t)
	w.url, w.cloud, w.tenantName, w.org = cloud.URL, cloud, strings.ToLower(awstest.Name("e2e")), awstest.Name("desk")
	w.waits, w.from = awsPatience, shared.position
	shared.log.reset()
	t.Cleanup(func() { shared.check(t) })
	w.admin = w.bootstrap(t)
	return w
}

// check holds that nothing went wrong behind the scenario's back.
func (d *deployment) check(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), awsPatience)
	defer cancel()
	if err := errors.Join(d.cloud.Settled(ctx), d.cloud.Err()); err != nil {
		t.Error(err)
	}
	if denied := d.cloud.Proxy.Denied(); len(denied) > 0 {
		t.Errorf("roles of template.yaml do not allow: %q", denied)
	}
	dead, err := d.cloud.Dead(ctx)
	if err != nil || !maps.Equal(dead, d.dead) {
		t.Errorf("what failed for good is %v, before it was %v: %v", dead, d.dead, err)
	}
	d.dead = dead
	if t.Failed() {
		t.Logf("the functions wrote:\n%s", d.log.warnings())
	}
}

// bootstrap makes the tenant as an administrator would, and returns its key.
func (w *world) bootstrap(t *testing.T) string {
	t.Helper()
	answer, err := w.cloud.Functions["bootstrap"].Invoke(t.Context(), []byte(`{"tenant":"`+w.tenantName+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Key == "" {
		t.Fatalf("bootstrap answered %s, %v", answer, err)
	}
	return made.Key
}

// tick has every schedule come to its time. On one machine there are none.
func (w *world) tick() {
	w.t.Helper()
	if w.cloud == nil {
		return
	}
	for _, schedule := range []string{"SweepSchedule", "DeadlineSchedule", "UnconfirmedSchedule", "HubWatchSchedule", "PublishCheckSchedule"} {
		if err := w.cloud.Tick(w.t.Context(), schedule); err != nil {
			w.t.Errorf("tick: %v", err)
		}
	}
}

// chill ends all instances, so that the next requests meet cold ones.
func (w *world) chill() {
	for _, f := range w.cloud.Functions {
		for _, i := range f.Instances() {
			i.Kill()
		}
	}
}

// tail keeps the end of what functions write.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 1 << 20
	if l.b = append(l.b, b...); len(l.b) > most {
		l.b = slices.Clone(l.b[len(l.b)-most/2:])
	}
	return len(b), nil
}

func (l *tail) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = nil
}

// warnings returns the last lines that are no mere information.
func (l *tail) warnings() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all [][]byte
	for line := range bytes.Lines(l.b) {
		if !bytes.Contains(line, []byte(`"level":"INFO"`)) && !bytes.Contains(line, []byte(`"_aws"`)) {
			all = append(all, line)
		}
	}
	const most = 20
	return bytes.Join(all[max(0, len(all)-most):], nil)
}
