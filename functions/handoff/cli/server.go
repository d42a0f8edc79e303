package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"handoff/domain/fault"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
	"handoff/infra/clientfile"
)

// Variables of the environment by which the server and the key are found.
const (
	envURL        = "HANDOFF_URL"
	envAPIKey     = "HANDOFF_API_KEY"      //nolint:gosec // a name, no key
	envAPIKeyFile = "HANDOFF_API_KEY_FILE" //nolint:gosec // a name, no key
)

const maxKeyFile = 4 << 10

// client returns a client of the server that was named, else of the one on this
// machine.
func (a *app) client(ctx context.Context) (*apiclient.Client, error) {
	own, err := a.clientFile()
	if err != nil {
		return nil, err
	}
	base := a.url
	if base == "" {
		base, _ = a.Env(envURL)
	}
	if base == "" {
		base = own.URL
	}
	if base == "" {
		return nil, usage("no server is known: start one here with `handoff serve`, or say where it is with --url or %s", envURL)
	}
	key, err := a.apiKey(ctx, base, own)
	if err != nil {
		return nil, err
	}
	a.warnOfPlainText(base)
	c, err := apiclient.New(base, key)
	return c, asUsage(err)
}

// clientFile returns what serve wrote on this machine, zero if there is nothing.
func (a *app) clientFile() (clientfile.Client, error) {
	path := a.clientFilePath()
	if path == "" {
		return clientfile.Client{}, nil
	}
	c, err := clientfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return clientfile.Client{}, nil
	}
	return c, err
}

// apiKey finds the key for a server. That of this machine's server is sent to
// no other one.
func (a *app) apiKey(ctx context.Context, base string, own clientfile.Client) (string, error) {
	file := a.keyFile
	if file == "" {
		file, _ = a.Env(envAPIKeyFile)
	}
	if file != "" {
		return a.readKey(file)
	}
	if key, _ := a.Env(envAPIKey); key != "" {
		return key, nil
	}
	if own.APIKey != "" && strings.TrimSuffix(base, "/") == strings.TrimSuffix(own.URL, "/") {
		return own.APIKey, nil
	}
	if a.interactive() {
		return a.askSecret(ctx, "API key for "+base+" (not shown): ")
	}
	return "", fault.Newf(fault.Unauthenticated, "key-missing",
		"There is no key for %s. Put it into %s, or name a file that holds it with --api-key-file.", base, envAPIKey)
}

func (a *app) readKey(path string) (string, error) {
	var in io.Reader = a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", asUsage(fmt.Errorf("read the key: %w", err))
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return "", asUsage(fmt.Errorf("read the key: %w", err))
	}
	return strings.TrimSpace(string(b)), nil
}

// warnOfPlainText tells when the key travels unencrypted beyond this machine.
func (a *app) warnOfPlainText(base string) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || a.quiet || a.mute {
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		a.note.Paragraph("", terminal.Yellow("The key and all answers travel unencrypted to "+u.Host+". Use https:// there."))
	}
}
