package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"handoff/domain/fault"
	"handoff/infra/clientfile"
	"handoff/infra/lanes"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/settings"
)

// Program is `handoff serve`: the system with its settings, its log, and the
// file by which the command line finds it.
type Program struct {
	Settings settings.Settings
	Version  string
	Out      io.Writer // what people read
	Log      io.Writer
	Now      func() time.Time
	// UnsafeNoSync leaves out every fsync, for the test that must notice.
	UnsafeNoSync bool
}

// Serve runs until ctx ends, then finishes what is under way.
func (p Program) Serve(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Settings.Listen)
	if err != nil {
		return fault.Newf(fault.Conflict, "address-busy", "Can't listen at %s. Choose another address (HANDOFF_LISTEN).", p.Settings.Listen).Because(err)
	}
	c, err := p.config(ctx)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	slog.SetDefault(c.Log) // this is the program: whoever has no logger of its own uses the program's
	return Serve(ctx, l, c, func(s *System) error { return p.ready(ctx, s, l.Addr()) })
}

func (p Program) config(ctx context.Context) (c Config, err error) {
	s := p.Settings
	c = Config{
		DataDir: s.DataDir, KeyFile: s.KeyFile, Tenant: s.Tenant, PublicURL: s.PublicURL, Version: p.Version,
		MaxBody: s.MaxBody, MaxConcurrent: s.MaxConcurrent, Lifetime: s.Lifetime, Drain: s.Drain, Allow: s.Allow, Timeout: s.DeliveryTimeout,
		Lanes:     lanes.Options{Total: s.DeliveryTotal, PerEndpoint: s.DeliveryPerEndpoint},
		Geography: s.Geography, RelayNotice: s.RelayNotice, Microsoft: hosts.Public(),
		Now: p.Now, Log: p.logger(), UnsafeNoSync: p.UnsafeNoSync,
	}
	if s.Simulation != "" {
		c.Watch, c.Relay.Late = time.Second, 5*time.Second // nobody else's limits are used up there
		c.Microsoft, err = hosts.Simulated(ctx, http.DefaultClient, s.Simulation)
	}
	return c, err
}

func (p Program) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: p.Settings.LogLevel}
	if p.Settings.LogFormat == settings.FormatJSON {
		return slog.New(slog.NewJSONHandler(p.Log, o))
	}
	return slog.New(slog.NewTextHandler(p.Log, o))
}

// ready writes the client file and says where everything is.
func (p Program) ready(ctx context.Context, s *System, addr net.Addr) error {
	path := clientfile.Path(p.Settings.KeyFile)
	file, err := clientfile.Read(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key, first, err := s.EnsureAdmin(ctx, file.APIKey)
	if err != nil {
		return err
	}
	url := "http://" + reachable(addr)
	if err := clientfile.Write(path, clientfile.Client{URL: url, APIKey: key}); err != nil {
		return err
	}
	if first {
		p.printf("First start. The administrator's key, shown this once:\n\n  %s\n\nThe command line on this machine finds it in %s.\n\n", key, path)
	}
	p.printf("Handoff %s serves at %s, data in %s. Ctrl-C stops it.\n", p.Version, url, p.Settings.DataDir)
	return nil
}

func (p Program) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format, args...) // nobody reads it: no reason to stop serving
}

// reachable turns a listener's address into one that a client can call.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// UntilClosed returns a context that ends when r does, such as the standard
// input of a process whose parent may be gone.
func UntilClosed(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, r) // however it ends, it ended
	}()
	return ctx
}
