package lambdarun_test

import (
	"compress/flate"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/tests/lambdarun"
	"handoff/tests/lambdarun/cfn"
	"handoff/tests/lambdarun/floor"
	"handoff/tests/load"
)

var (
	table = flag.Bool("table", false, "measure starts and zips and print the table of the README")
	only  = flag.String("only", "", "measure functions whose folders contain this")
)

// starts are how many starts of a function are measured.
const starts = 15

// What a function may have of what its floor has: more where it brings the rule
// engine along.
const (
	mostStart   = 1.5
	mostZip     = 1.3
	mostZipRule = 2.0
)

// measured is a function or its floor.
type measured struct {
	start, memory float64 // medians: ms, MiB
	zip           float64 // MB, for arm64
}

// subject is a function and its floor.
type subject struct {
	folder   string
	services []string // that its role lets it call
	rules    bool     // whether it links the rule engine
	own      measured
	floor    measured
}

// TestSmoke measures one function and the largest floor for a moment, so that
// the table can be made whenever somebody wants it.
func TestSmoke(t *testing.T) {
	t.Parallel()
	aws := newStub(t)
	for _, pkg := range []string{floorSource(t, []string{"dynamodb", "events", "s3", "sqs", "ssm"}), "handoff/functions/bootstrap/lambda"} {
		bootstrap := build(t, pkg)
		if l := launch(t, bootstrap, aws); l.start.Init <= 0 || l.start.Answer < l.start.Init || l.memory < 1<<20 {
			t.Errorf("%s started as %+v", pkg, l)
		}
		if mb := deflated(t, bootstrap); mb < 1 || mb > 10 {
			t.Errorf("%s has %.1f MB", pkg, mb)
		}
	}
}

// TestTable prints the table of the README.
func TestTable(t *testing.T) {
	t.Parallel()
	if !*table {
		return // nobody wants it
	}
	watched := load.Watch()
	all := subjects(t)
	measure(t, all)
	share := watched()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %s. Machine idle %.0f %%, used by others %.0f %%.\n\n", load.Machine(), time.Now().Format(time.DateOnly), 100*share.Idle, 100*share.Others)
	fmt.Fprintf(&b, "| function | first answer | floor | × (aim %.1f) | zip, arm64 | floor | × (aim %.1f, %.1f with rules) | memory | floor | clients |\n", mostStart, mostZip, mostZipRule)
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range all {
		rules := ""
		if s.rules {
			rules = ", rules"
		}
		fmt.Fprintf(&b, "| %s | %.1f ms | %.1f ms | %.2f | %.2f MB | %.2f MB | %.2f | %.0f MiB | %.0f MiB | %s%s |\n", s.folder,
			s.own.start, s.floor.start, s.own.start/s.floor.start, s.own.zip, s.floor.zip, s.own.zip/s.floor.zip,
			s.own.memory, s.floor.memory, strings.Join(s.services, ", "), rules)
	}
	if _, err := t.Output().Write([]byte(b.String())); err != nil {
		t.Error(err)
	}
}

// BenchmarkStart measures starts of each function, beside its floor.
func BenchmarkStart(b *testing.B) {
	aws := newStub(b)
	for _, s := range subjects(b) {
		b.Run(s.folder, func(b *testing.B) {
			own, bottom := build(b, "handoff/functions/"+s.folder+"/lambda"), buildFloor(b, s.services)
			var o, f []lambdarun.Start
			for b.Loop() {
				o = append(o, launch(b, own, aws).start)
				f = append(f, launch(b, bottom, aws).start)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(o, answer), "ms/start")
			b.ReportMetric(median(f, answer), "floor-ms/start")
		})
	}
}

func answer(s lambdarun.Start) float64 { return s.Answer.Seconds() * 1000 }

// subjects are the functions of template.yaml.
func subjects(t testing.TB) (all []*subject) {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := cfn.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := lambdarun.Functions(tmpl)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range slices.Sorted(maps.Keys(found)) {
		if strings.Contains(folder, *only) {
			services := slices.DeleteFunc(found[folder].Services(), func(s string) bool { return s == "kms" || s == "logs" || s == "xray" })
			all = append(all, &subject{folder: folder, services: services})
		}
	}
	return all
}

// measure measures functions and their floors in turn, so that both meet the
// same neighbours.
func measure(t testing.TB, all []*subject) {
	t.Helper()
	aws := newStub(t)
	floors := map[string]measured{}
	for _, s := range all {
		key := strings.Join(s.services, " ")
		if _, ok := floors[key]; !ok {
			floors[key] = measured{zip: zipped(t, floorSource(t, s.services))}
		}
		pkg := "handoff/functions/" + s.folder + "/lambda"
		s.floor = floors[key]
		s.own.zip, s.rules = zipped(t, pkg), linksRules(t, pkg)
		own, bottom := build(t, pkg), buildFloor(t, s.services)
		var o, f []launched
		for range starts {
			o = append(o, launch(t, own, aws))
			f = append(f, launch(t, bottom, aws))
		}
		s.own.take(o)
		s.floor.take(f)
	}
}

func (m *measured) take(all []launched) {
	m.start = median(all, func(l launched) float64 { return answer(l.start) })
	m.memory = median(all, func(l launched) float64 { return float64(l.memory) / (1 << 20) })
}

func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = of(v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// newStub starts an AWS that has nothing but secrets: what a function asks for at
// its start is answered at once.
func newStub(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Names []string }
		_ = json.NewDecoder(r.Body).Decode(&asked) // of S3 there is nothing
		var all []map[string]string
		for _, name := range asked.Names {
			_, tenant, _ := strings.Cut(name, "/tenants/")
			value, _ := json.Marshal(map[string]any{"tenant": tenant, "naming": make([]byte, 32), "wrapping": make([]byte, 32)}) // it encodes
			all = append(all, map[string]string{"Name": name, "Value": string(value), "Type": "SecureString"})
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameters": all, "Items": []any{}, "Count": 0}) // the function is gone
	}))
	t.Cleanup(s.Close)
	return s.URL
}

type launched struct {
	start  lambdarun.Start
	memory int64
}

// launch starts an instance and has it answer. Every function answers an empty
// batch, a tick and a request without touching anything; whether it likes what it
// was asked does not matter.
func launch(t testing.TB, bootstrap, aws string) launched {
	t.Helper()
	env := map[string]string{"AWS_ENDPOINT_URL": aws, "HANDOFF_SECRETS_PATH": "/handoff", "HANDOFF_PUBLIC_URL": "https://handoff.example"}
	for _, name := range []string{"LOG_TABLE", "INDEX_TABLE", "KEYS_TABLE", "WORK_TABLE", "BLOBS_BUCKET", "BUS", "DELIVERIES_QUEUE", "TIMERS_QUEUE", "POISON_QUEUE", "RELAY_QUEUE", "RELAY_TIMERS_QUEUE", "KMS_KEY"} {
		env["HANDOFF_"+name] = "x"
	}
	f := lambdarun.New(lambdarun.Config{Name: "measured", Bootstrap: bootstrap, Env: env, Timeout: 20 * time.Second})
	defer f.Stop()
	event := `{"Records":[],"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","path":"/"}}}`
	_, _ = f.Invoke(context.Background(), []byte(event)) // see above
	running := f.Instances()
	if len(running) != 1 {
		t.Fatalf("%s: the process ended", bootstrap)
	}
	return launched{start: running[0].Start(), memory: running[0].Memory()}
}

func build(t testing.TB, pkg string, env ...string) string {
	t.Helper()
	out, err := lambdarun.Build(t.Context(), t.TempDir(), pkg, env...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func buildFloor(t testing.TB, services []string) string {
	t.Helper()
	return build(t, floorSource(t, services))
}

func floorSource(t testing.TB, services []string) string {
	t.Helper()
	source, err := floor.Source(services...)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(name, source, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func zipped(t testing.TB, pkg string) float64 {
	t.Helper()
	return deflated(t, build(t, pkg, "GOARCH=arm64"))
}

// deflated returns how many MB a file has in a zip. What zip adds for names is
// left out.
func deflated(t testing.TB, name string) float64 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var n counter
	w, err := flate.NewWriter(&n, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return float64(n) / 1e6
}

type counter int

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// linksRules reports whether a function brings the rule engine along.
func linksRules(t testing.TB, pkg string) bool {
	t.Helper()
	deps, err := lambdarun.Dependencies(t.Context(), pkg)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(deps, "handoff/domain/routing")
}
