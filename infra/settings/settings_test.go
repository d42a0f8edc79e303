package settings_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/infra/safehttp"
	"handoff/infra/settings"
)

func from(values map[string]string) settings.Lookup {
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}

func home() settings.Home {
	return settings.Home{Config: filepath.FromSlash("/home/ada/.config"), Data: filepath.FromSlash("/home/ada/.local/share")}
}

func load(t *testing.T, values map[string]string) settings.Settings {
	t.Helper()
	s, err := settings.Load(from(values), home())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaultsAreSafe(t *testing.T) {
	t.Parallel()
	want := settings.Settings{
		DataDir: filepath.FromSlash("/home/ada/.local/share/handoff"), KeyFile: filepath.FromSlash("/home/ada/.config/handoff/master.key"),
		Listen: "127.0.0.1:8480", Tenant: "default", MaxBody: 1 << 20, MaxConcurrent: 1024, Lifetime: 24 * time.Hour, Drain: time.Hour,
		DeliveryTimeout: 15 * time.Second, DeliveryTotal: 128, DeliveryPerEndpoint: 64, LogFormat: "text",
		RelayNotice: settings.DefaultNotice,
	}
	if got := load(t, map[string]string{"HANDOFF_LISTEN": "", "HANDOFF_URL": ""}); !reflect.DeepEqual(got, want) {
		t.Errorf("settings = %+v\nwant %+v", got, want)
	}
}

// samples has a value for each setting that is not its default.
func samples(t *testing.T) (values map[string]string, want settings.Settings) {
	t.Helper()
	allow, err := safehttp.ParseAllow("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]string{
		"HANDOFF_DATA_DIR": "/srv/handoff", "HANDOFF_KEY_FILE": "/etc/handoff/key", "HANDOFF_LISTEN": ":80", "HANDOFF_PUBLIC_URL": "https://h.example/x/",
		"HANDOFF_TENANT": "acme", "HANDOFF_ALLOW_PRIVATE": "10.0.0.0/8", "HANDOFF_MAX_BODY": "2MiB", "HANDOFF_MAX_CONCURRENT": "12", "HANDOFF_ESCALATION_LIFETIME": "7d",
		"HANDOFF_DRAIN": "90m", "HANDOFF_DELIVERY_TIMEOUT": "5s", "HANDOFF_DELIVERY_TOTAL": "16", "HANDOFF_DELIVERY_PER_ENDPOINT": "8",
		"HANDOFF_GEOGRAPHY": "Europe", "HANDOFF_RELAY_NOTICE": "One moment.", "HANDOFF_MICROSOFT_SIMULATION": "http://127.0.0.1:9410/",
		"HANDOFF_LOG_LEVEL": "Debug", "HANDOFF_LOG_FORMAT": "json", "HANDOFF_URL": "http://127.0.0.1:8480/", "HANDOFF_API_KEY": "hk_1_secret",
	}
	return values, settings.Settings{
		DataDir: filepath.FromSlash("/srv/handoff"), KeyFile: filepath.FromSlash("/etc/handoff/key"), Listen: ":80", PublicURL: "https://h.example/x",
		Tenant: "acme", Allow: allow, MaxBody: 2 << 20, MaxConcurrent: 12, Lifetime: 7 * 24 * time.Hour, Drain: 90 * time.Minute, DeliveryTimeout: 5 * time.Second,
		Geography: geography.Europe, RelayNotice: "One moment.", Simulation: "http://127.0.0.1:9410",
		DeliveryTotal: 16, DeliveryPerEndpoint: 8, LogLevel: slog.LevelDebug, LogFormat: "json", URL: "http://127.0.0.1:8480", APIKey: "hk_1_secret",
	}
}

func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	values, want := samples(t)
	if got := load(t, values); !reflect.DeepEqual(got, want) {
		t.Errorf("settings = %#v\nwant %#v", got, want)
	}
}

func TestACustomerMayBeToldNothing(t *testing.T) {
	t.Parallel()
	if s := load(t, map[string]string{"HANDOFF_RELAY_NOTICE": "-"}); s.RelayNotice != "" {
		t.Errorf("notice = %q, want none", s.RelayNotice)
	}
}

func TestTheTableHasEveryField(t *testing.T) {
	t.Parallel()
	values, _ := samples(t)
	base := reflect.ValueOf(load(t, nil))
	var changed []string
	for _, row := range settings.Table() {
		if !strings.HasPrefix(row.Name, "HANDOFF_") || row.Default == "" || !strings.HasSuffix(row.Doc, ".") {
			t.Errorf("row %+v lacks a name, a default or a sentence", row)
		}
		if name := "HANDOFF_" + strings.ToUpper(strings.ReplaceAll(row.Flag, "-", "_")); row.Flag != "" && name != row.Name {
			t.Errorf("flag %s and variable %s are not equal", row.Flag, row.Name)
		}
		one := reflect.ValueOf(load(t, map[string]string{row.Name: values[row.Name]}))
		for i := range base.NumField() {
			if !reflect.DeepEqual(one.Field(i).Interface(), base.Field(i).Interface()) {
				changed = append(changed, base.Type().Field(i).Name)
			}
		}
	}
	// Of few attempts at once, no more can go to one endpoint.
	want := strings.Replace(fields(base.Type()), "DeliveryTotal", "DeliveryTotal DeliveryPerEndpoint", 1)
	if got := strings.Join(changed, " "); got != want {
		t.Errorf("the table sets %s\nwant %s", got, want)
	}
}

func fields(t reflect.Type) string {
	var names []string
	for field := range t.Fields() {
		names = append(names, field.Name)
	}
	return strings.Join(names, " ")
}

func TestDefaultsInTheTableAreTheDefaults(t *testing.T) {
	t.Parallel()
	values := make(map[string]string)
	for _, row := range settings.Table() {
		if !strings.Contains(row.Default, " ") && row.Default != "none" {
			values[row.Name] = row.Default
		}
	}
	if got, want := load(t, values), load(t, nil); len(values) < 10 || !reflect.DeepEqual(got, want) {
		t.Errorf("with the table's defaults = %+v\nwant %+v", got, want)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ name, value, want string }{
		"no port":                    {"HANDOFF_LISTEN", "localhost", `HANDOFF_LISTEN (--listen): "localhost" is no address`},
		"a port that is none":        {"HANDOFF_LISTEN", ":99999", "127.0.0.1:8480"},
		"a URL without a scheme":     {"HANDOFF_PUBLIC_URL", "handoff.example", "https://handoff.example"},
		"a URL with a password":      {"HANDOFF_URL", "http://a:b@h", "is not the URL of a server"},
		"a tenant in capitals":       {"HANDOFF_TENANT", "ACME", "lower-case"},
		"an allow list":              {"HANDOFF_ALLOW_PRIVATE", "everything", `(--allow-private): "everything" is neither`},
		"a size with a wrong unit":   {"HANDOFF_MAX_BODY", "1MB", "512KiB or 1MiB"},
		"a size out of range":        {"HANDOFF_MAX_BODY", "4GiB", "use 1KiB to 64MiB"},
		"a negative size":            {"HANDOFF_MAX_BODY", "-1", "is no size"},
		"a place that is none":       {"HANDOFF_GEOGRAPHY", "Atlantis", "north-america"},
		"a notice that is too long":  {"HANDOFF_RELAY_NOTICE", strings.Repeat("x", 1001), "at most 1000"},
		"a simulation that is none":  {"HANDOFF_MICROSOFT_SIMULATION", "localhost", "is not the URL of a server"},
		"a time without a unit":      {"HANDOFF_ESCALATION_LIFETIME", "24", "15s, 90m, 24h or 7d"},
		"a time out of range":        {"HANDOFF_DRAIN", "100d", "use 1s to 90d"},
		"a time-out out of range":    {"HANDOFF_DELIVERY_TIMEOUT", "1h", "use 1s to 50s"},
		"none at once":               {"HANDOFF_DELIVERY_TOTAL", "0", "from 1 to 4096"},
		"a number that is none":      {"HANDOFF_DELIVERY_PER_ENDPOINT", "many", "from 1 to 4096"},
		"a level":                    {"HANDOFF_LOG_LEVEL", "verbose", "debug, info, warn or error"},
		"a format":                   {"HANDOFF_LOG_FORMAT", "xml", "text or json"},
		"a key beside what it opens": {"HANDOFF_KEY_FILE", "/home/ada/.local/share/handoff/key", "is in the data directory"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := settings.Load(from(map[string]string{c.name: c.value}), home())
			f := fault.Of(err)
			if f == nil || f.Code != "settings-invalid" || len(f.Problems) != 1 || f.Problems[0].Rule != c.name || !strings.Contains(f.Detail, c.want) {
				t.Errorf("error = %v, want one that says %s and %s", err, c.name, c.want)
			}
		})
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, err := settings.Load(from(map[string]string{"HANDOFF_LISTEN": "x", "HANDOFF_MAX_BODY": "x"}), settings.Home{})
	f := fault.Of(err)
	if f == nil || len(f.Problems) != 4 || strings.Count(f.Detail, "\n") != 3 || !strings.Contains(f.Detail, "HANDOFF_DATA_DIR (--data-dir): it is needed") {
		t.Errorf("error = %v, want four lines", err)
	}
}

func TestFlagsComeBeforeVariables(t *testing.T) {
	t.Parallel()
	l := settings.Any(from(map[string]string{"HANDOFF_LISTEN": ":1", "HANDOFF_TENANT": ""}), from(map[string]string{"HANDOFF_LISTEN": ":2", "HANDOFF_TENANT": "acme"}))
	s, err := settings.Load(l, home())
	if err != nil || s.Listen != ":1" || s.Tenant != "acme" {
		t.Errorf("settings = %+v, %v", s, err)
	}
	if _, ok := l("HANDOFF_DRAIN"); ok {
		t.Error("what nobody set has a value")
	}
}

func TestALambdaReadsWhatIsShared(t *testing.T) {
	t.Parallel()
	values, all := samples(t)
	got, err := settings.LoadShared(from(values))
	if err != nil {
		t.Fatal(err)
	}
	want := load(t, nil)
	want.DataDir, want.KeyFile = "", ""
	want.PublicURL, want.Tenant, want.Allow, want.MaxBody = all.PublicURL, all.Tenant, all.Allow, all.MaxBody
	want.Geography, want.RelayNotice, want.Simulation = all.Geography, all.RelayNotice, all.Simulation
	want.Lifetime, want.Drain, want.DeliveryTimeout, want.LogLevel = all.Lifetime, all.Drain, all.DeliveryTimeout, all.LogLevel
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings = %#v\nwant %#v", got, want)
	}
}

func TestALambdaHasNoFlags(t *testing.T) {
	t.Parallel()
	_, err := settings.LoadShared(from(map[string]string{"HANDOFF_DRAIN": "x"}))
	if f := fault.Of(err); f == nil || !strings.HasPrefix(f.Detail, "HANDOFF_DRAIN: ") {
		t.Errorf("error = %v, want one of HANDOFF_DRAIN alone", err)
	}
}

func TestTheKeyIsNotShown(t *testing.T) {
	t.Parallel()
	s := load(t, map[string]string{"HANDOFF_API_KEY": "hk_1_secret"})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "key", s.APIKey, "all", fmt.Sprint(s))
	if all := fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s.APIKey, s.APIKey) + log.String(); strings.Contains(all, "hk_1") {
		t.Errorf("the key is shown: %s", all)
	}
	for _, row := range settings.Table() {
		if row.Name == "HANDOFF_API_KEY" && row.Flag != "" {
			t.Error("the key can be given on the command line, which other users see")
		}
	}
}

func TestDataHome(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		goos, home string
		env        map[string]string
		want       string
	}{
		"Linux":                     {"linux", "/home/ada", nil, "/home/ada/.local/share"},
		"where XDG says":            {"linux", "/home/ada", map[string]string{"XDG_DATA_HOME": "/data"}, "/data"},
		"XDG says nothing relative": {"linux", "/home/ada", map[string]string{"XDG_DATA_HOME": "data"}, "/home/ada/.local/share"},
		"macOS":                     {"darwin", "/Users/ada", nil, "/Users/ada/Library/Application Support"},
		"Windows":                   {"windows", "", map[string]string{"LocalAppData": "/appdata"}, "/appdata"},
		"no home":                   {"linux", "", nil, ""},
	} {
		if got := settings.DataHome(c.goos, c.home, from(c.env)); got != filepath.FromSlash(c.want) {
			t.Errorf("%s: data home = %q, want %q", sentence, got, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, v := range []string{"1MiB", "7d", ":80", "https://h", "9999999999999h", "999999999999d", "GiB", "::"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, row := range settings.Table() {
			s, err := settings.Load(from(map[string]string{row.Name: v}), home())
			if err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s=%q: %v is not Invalid", row.Name, v, err)
			}
			if err == nil && (s.MaxBody <= 0 || s.Lifetime <= 0 || s.Drain <= 0 || s.DeliveryTotal <= 0 || s.DeliveryTimeout <= 0) {
				t.Errorf("%s=%q: %+v has a limit that is none", row.Name, v, s)
			}
		}
	})
}
