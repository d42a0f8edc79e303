package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/infra/safehttp"
)

const folder = "handoff" // in the user's directories

// DefaultNotice is what customers are told unless another notice is set.
const DefaultNotice = "I'm passing you on to a colleague."

// maxNotice is far below what a message of the hub may have.
const maxNotice = 1_000

func defaults(home Home) Settings {
	s := Settings{
		Listen: "127.0.0.1:8480", Tenant: "default", MaxBody: 1 << 20, MaxConcurrent: 1024, Lifetime: 24 * time.Hour, Drain: time.Hour,
		DeliveryTimeout: 15 * time.Second, DeliveryTotal: 128, DeliveryPerEndpoint: 64, LogLevel: slog.LevelInfo, LogFormat: FormatText,
		RelayNotice: DefaultNotice,
	}
	if home.Data != "" {
		s.DataDir = filepath.Join(home.Data, folder)
	}
	if home.Config != "" {
		s.KeyFile = filepath.Join(home.Config, folder, "master.key")
	}
	return s
}

// definition is a setting with how it is read. check sees the settings before
// it in the table too, and returns what is wrong.
type definition struct {
	Setting
	set   func(*Settings, string) error
	check func(Settings) string
}

func (d definition) label() string {
	if d.Flag == "" {
		return d.Name
	}
	return d.Name + " (--" + d.Flag + ")"
}

// define derives the variable's name from the flag's.
func define(flag, byDefault, doc string, set func(*Settings, string) error) definition {
	name := "HANDOFF_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	return definition{Setting: Setting{Name: name, Flag: flag, Default: byDefault, Doc: doc}, set: set}
}

func (d definition) must(check func(Settings) string) definition {
	d.check = check
	return d
}

// secret takes the flag away: other users of the machine see command lines.
func (d definition) secret() definition {
	d.Flag = ""
	return d
}

func (d definition) client() definition {
	d.Client = true
	return d
}

// onAWS marks what the Lambda functions read too.
func (d definition) onAWS() definition {
	d.Shared = true
	return d
}

// shared are the settings of Lambda functions, which have no flags.
func shared() []definition {
	all := slices.DeleteFunc(definitions(), func(d definition) bool { return !d.Shared })
	for i := range all {
		all[i].Flag = ""
	}
	return all
}

func definitions() []definition {
	return []definition{
		define("data-dir", "handoff in the user's data directory", "Directory with the event log and the sealed keys, made at the first start.", func(s *Settings, v string) error {
			s.DataDir = filepath.Clean(v)
			return nil
		}).must(needed(func(s Settings) string { return s.DataDir })),
		define("key-file", "handoff/master.key in the user's configuration directory", "File with the master key, made at the first start; keep a copy elsewhere, never in the data directory.", func(s *Settings, v string) error {
			s.KeyFile = filepath.Clean(v)
			return nil
		}).must(apart),
		define("listen", "127.0.0.1:8480", "Address and port to listen on; the default is reached from this machine only.", setListen),
		define("public-url", "http:// and the address listened on", "URL under which others reach the server; links in answers and events begin with it.", setPublicURL).onAWS(),
		define("tenant", "default", "Name of the tenant that the first start makes.", func(s *Settings, v string) (err error) {
			if s.Tenant = v; !connection.ValidID(v) {
				err = fmt.Errorf("%q can't name a tenant; use 1 to 64 lower-case letters, digits and hyphens", v)
			}
			return err
		}).onAWS(),
		define("allow-private", "none", "Private addresses that webhooks may be sent to and transcripts read from: prefixes, addresses and host:port, separated by commas.", setAllow).onAWS(),
		define("max-body", "1MiB", "Largest body of a request.", func(s *Settings, v string) (err error) {
			s.MaxBody, err = parseSize(v, 1<<10, 64<<20)
			return err
		}).onAWS(),
		define("max-concurrent", "1024", "Requests that are worked on at once; one more is told to come back.", count(func(s *Settings) *int { return &s.MaxConcurrent }, 1<<20)),
		define("escalation-lifetime", "24h", "How long an escalation may stay open before it expires.", span(func(s *Settings) *time.Duration { return &s.Lifetime }, time.Second, 90*day)).onAWS(),
		define("drain", "1h", "How long open escalations may still finish after a disconnect that says nothing of it.", span(func(s *Settings) *time.Duration { return &s.Drain }, time.Second, 90*day)).onAWS(),
		define("geography", "that each connection names", "Where the data directory or the stack is, such as Europe; a bot or hub elsewhere is refused.", setGeography).onAWS(),
		define("relay-notice", DefaultNotice, "What a customer is told when the bot can't go on and human agents are asked; - for nothing.", setNotice).onAWS(),
		define("microsoft-simulation", "the real services", "Control address of handoff simulate microsoft, to use that in place of Microsoft's services.", func(s *Settings, v string) (err error) {
			s.Simulation, err = parseURL(v)
			return err
		}).onAWS(),
		define("delivery-timeout", "15s", "How long one attempt to deliver may take.", span(func(s *Settings) *time.Duration { return &s.DeliveryTimeout }, time.Second, 50*time.Second)).onAWS(),
		define("delivery-total", "128", "Attempts to deliver that are under way at once.", count(func(s *Settings) *int { return &s.DeliveryTotal }, 4096)),
		define("delivery-per-endpoint", "64", "Attempts of those that go to one endpoint, at most all of them.", count(func(s *Settings) *int { return &s.DeliveryPerEndpoint }, 4096)),
		define("log-level", "info", "What is logged: debug, info, warn or error.", setLogLevel).onAWS(),
		define("log-format", FormatText, "How it is logged: text or json.", func(s *Settings, v string) (err error) {
			if s.LogFormat = v; v != FormatText && v != FormatJSON {
				err = fmt.Errorf("%q is no format of the log; use text or json", v)
			}
			return err
		}),
		define("url", "that of the server on this machine", "Server that the command line calls.", setURL).client(),
		define("api-key", "the administrator's on this machine", "Key with which the command line calls it.", func(s *Settings, v string) error {
			s.APIKey = Secret(v)
			return nil
		}).secret().client(),
	}
}

func needed(path func(Settings) string) func(Settings) string {
	return func(s Settings) string {
		if path(s) == "" {
			return "it is needed, because this user has no home directory where it could be"
		}
		return ""
	}
}

// apart refuses a master key that would be copied along with what it seals.
func apart(s Settings) string {
	if why := needed(func(s Settings) string { return s.KeyFile })(s); why != "" || s.DataDir == "" {
		return why
	}
	rel, err := filepath.Rel(s.DataDir, s.KeyFile)
	if err == nil && filepath.IsLocal(rel) {
		return fmt.Sprintf("%s is in the data directory; keep the key elsewhere, so that a copy of the one is worth nothing without the other", s.KeyFile)
	}
	return ""
}

func setListen(s *Settings, v string) error {
	_, port, err := net.SplitHostPort(v)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return fmt.Errorf("%q is no address to listen on; write one such as 127.0.0.1:8480, or :8480 for all of this machine's", v)
	}
	s.Listen = v
	return nil
}

func setPublicURL(s *Settings, v string) (err error) {
	s.PublicURL, err = parseURL(v)
	return err
}

func setURL(s *Settings, v string) (err error) {
	s.URL, err = parseURL(v)
	return err
}

func setGeography(s *Settings, v string) error {
	s.Geography = geography.Parse(v)
	if s.Geography == geography.Unknown {
		return fmt.Errorf("%q is no geography; use one of %s", v, names(geography.All()))
	}
	return nil
}

func names(all []geography.Geography) string {
	written := make([]string, len(all))
	for i, g := range all {
		written[i] = string(g)
	}
	return strings.Join(written, ", ")
}

func setNotice(s *Settings, v string) error {
	if len(v) > maxNotice {
		return fmt.Errorf("it has %d bytes; use at most %d", len(v), maxNotice)
	}
	if s.RelayNotice = v; v == "-" {
		s.RelayNotice = ""
	}
	return nil
}

func parseURL(v string) (string, error) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not the URL of a server; write one such as https://handoff.example", v)
	}
	return strings.TrimRight(v, "/"), nil
}

func setAllow(s *Settings, v string) error {
	allow, err := safehttp.ParseAllow(v)
	if f := fault.Of(err); f != nil {
		return errors.New(f.Detail)
	}
	s.Allow = allow
	return err
}

func setLogLevel(s *Settings, v string) error {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(v, l.String()) {
			s.LogLevel = l
			return nil
		}
	}
	return fmt.Errorf("%q is no level of the log; use debug, info, warn or error", v)
}
