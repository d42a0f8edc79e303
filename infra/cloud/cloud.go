// Package cloud opens the adapters of AWS for a Lambda function and runs it: it
// reads the settings, makes the clients, and turns the events of Lambda into
// calls of a handler that knows nothing of them.
//
// A main hands Start the environment, the clock, and a function that binds a
// handler. Whatever the binding asks for and the environment lacks is reported
// at once, each variable with what it is. What is never asked for is not
// demanded, and the linker leaves its client out.
package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"handoff/domain/fault"
	"handoff/infra/settings"
	"handoff/infra/telemetry"
)

// Limits of one call to AWS. A call that hangs is given up early enough to be
// repeated within an invocation.
const (
	attemptTimeout = 5 * time.Second
	dialTimeout    = time.Second
	maxAttempts    = 6
	maxBackoff     = 2 * time.Second
)

// Cloud is what a function is bound with. It is used by one goroutine, while
// the function starts; the clients that it returns are safe for concurrent use.
type Cloud struct {
	Settings settings.Settings
	// Function is the function's name, that of its folder.
	Function string
	// Version is that of the program.
	Version string
	Now     func() time.Time
	Log     *slog.Logger
	Meter   *telemetry.Meter
	// AWS is what clients are made from.
	AWS aws.Config

	tracer  *telemetry.Tracer
	lookup  func(name string) string
	missing []fault.Problem
	clients
}

func open(ctx context.Context, getenv func(string) string, now func() time.Time) (*Cloud, error) {
	c := &Cloud{Now: now, lookup: getenv}
	c.Function, c.Version = program()
	var err error
	c.Settings, err = settings.LoadShared(func(name string) (string, bool) {
		v := getenv(name)
		return v, v != ""
	})
	if err != nil {
		return c, err
	}
	c.observe()
	c.AWS, err = config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient()), config.WithRetryer(Retryer))
	if err != nil {
		return c, fmt.Errorf("configure AWS: %w", err)
	}
	return c, nil
}

// observe opens the log, the metrics and the traces.
func (c *Cloud) observe() {
	stack := c.Need(Stack)
	c.Log = telemetry.NewLogger(os.Stdout, c.Settings.LogLevel, c.Function)
	slog.SetDefault(c.Log) // this is the program: whoever has no logger of its own uses the program's
	c.Meter = telemetry.NewMeter(os.Stdout, stack, c.Function, c.Now)
	c.tracer = telemetry.NewTracer(new(http.Client), c.lookup("OTEL_EXPORTER_OTLP_ENDPOINT"), c.Function, c.Version, stack, c.Now)
}

func httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(attemptTimeout).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
}

// Retryer says how calls to AWS are tried again: six times within some seconds.
func Retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = maxAttempts, maxBackoff })
}

// program returns the folder of the function whose main this is, and the
// version it was built from.
func program() (name, version string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "unknown"
	}
	name = path.Base(strings.TrimSuffix(info.Path, "/lambda"))
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return name, v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return name, "devel-" + s.Value[:12]
		}
	}
	return name, "devel"
}
