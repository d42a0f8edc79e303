// Package settings reads how the single program is to run: from HANDOFF_*
// variables and flags of the same names, with safe defaults for all of them.
//
// It reads no environment itself: a main hands over how to look a variable up.
// An empty value counts as none. Everything that is wrong is reported at once,
// each with the name of its setting and what would be right.
package settings

import (
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/infra/safehttp"
)

// Settings say how to run. Load makes them; they are checked then.
type Settings struct {
	DataDir   string
	KeyFile   string
	Listen    string // host:port
	PublicURL string // without a slash at its end; empty: of the listener
	Tenant    string

	Allow   safehttp.Allow // private addresses that may be reached
	MaxBody int64
	// MaxConcurrent is how many requests are worked on at once.
	MaxConcurrent int
	Lifetime      time.Duration // of an open escalation
	Drain         time.Duration // after a disconnect

	// Geography is where the log is; Unknown: connections have to say.
	Geography geography.Geography
	// RelayNotice is what a customer is told when the bot can't go on.
	RelayNotice string
	// Simulation is the control host of a fake of Microsoft's cloud; empty: the
	// real one is used.
	Simulation string

	DeliveryTimeout     time.Duration
	DeliveryTotal       int
	DeliveryPerEndpoint int

	LogLevel  slog.Level
	LogFormat string // text or json

	URL    string // of the server that the command line calls; empty: this machine's
	APIKey Secret // with which it does
}

// Formats of the log.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// Secret is a text that is not shown when it is formatted or logged.
type Secret string

const hidden = "[secret]"

// String implements fmt.Stringer.
func (s Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return hidden }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Setting is a row of the table of settings.
type Setting struct {
	Name    string // of the variable
	Flag    string // empty where a flag would show a secret
	Default string // as people read it
	Doc     string // one sentence
	// Client says that the command line uses it to call a server; the others
	// are the server's.
	Client bool
	// Shared says that it means the same to the Lambda functions on AWS.
	Shared bool
}

// Lookup returns the value of a setting by the name of its variable, and
// whether it has one.
type Lookup func(name string) (string, bool)

// Any looks a setting up in several places and takes the first value there is.
// Flags come before the environment.
func Any(lookups ...Lookup) Lookup {
	return func(name string) (string, bool) {
		for _, l := range lookups {
			if v, ok := l(name); ok && v != "" {
				return v, true
			}
		}
		return "", false
	}
}

// Home says where the user's files are. Empty: not known.
type Home struct {
	Config string // os.UserConfigDir
	Data   string // see DataHome
}

// DataHome returns where the user's programs keep data: XDG_DATA_HOME, or what
// stands for it on the operating system. home is os.UserHomeDir, or empty.
func DataHome(goos, home string, lookup Lookup) string {
	if dir, _ := lookup("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if dir, _ := lookup("LocalAppData"); goos == "windows" {
		return dir
	}
	switch {
	case home == "":
		return ""
	case goos == "darwin":
		return filepath.Join(home, "Library", "Application Support")
	default:
		return filepath.Join(home, ".local", "share")
	}
}

// Table returns every setting, for --help and the documentation.
func Table() []Setting {
	var table []Setting
	for _, d := range definitions() {
		table = append(table, d.Setting)
	}
	return table
}

// Load returns the settings, or an Invalid fault settings-invalid that tells
// everything that is wrong.
func Load(lookup Lookup, home Home) (Settings, error) {
	return load(lookup, defaults(home), definitions())
}

// LoadShared is Load for a Lambda function: it reads the settings that are
// shared and leaves the others at their defaults. Without files and a listener
// there is no default for DataDir, KeyFile and PublicURL: they are empty.
func LoadShared(lookup Lookup) (Settings, error) {
	return load(lookup, defaults(Home{}), shared())
}

func load(lookup Lookup, s Settings, all []definition) (Settings, error) {
	var wrong []fault.Problem
	blame := func(d definition, why string) {
		wrong = append(wrong, fault.Problem{Rule: d.Name, Detail: d.label() + ": " + why})
	}
	for _, d := range all {
		if v, ok := lookup(d.Name); ok && v != "" {
			if err := d.set(&s, v); err != nil {
				blame(d, err.Error())
				continue
			}
		}
		if d.check != nil {
			if why := d.check(s); why != "" {
				blame(d, why)
			}
		}
	}
	if len(wrong) > 0 {
		f := fault.New(fault.Invalid, "settings-invalid", details(wrong))
		f.Problems = wrong
		return Settings{}, f
	}
	s.DeliveryPerEndpoint = min(s.DeliveryPerEndpoint, s.DeliveryTotal)
	return s, nil
}

func details(wrong []fault.Problem) string {
	lines := make([]string, len(wrong))
	for i, p := range wrong {
		lines[i] = p.Detail
	}
	return strings.Join(lines, "\n")
}
