// Package hosts says where Microsoft's services are: those of the public cloud,
// or the fake that `handoff simulate microsoft` serves on this machine.
package hosts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/relaying"
)

// Hosts are the addresses of all services that Handoff talks to.
type Hosts struct {
	Connecting provider.Hosts
	Relaying   relaying.Hosts
	// Inbound is who signs the tokens of requests to a bot.
	Inbound botauth.Cloud
	// Simulated says that they are a fake's.
	Simulated bool
}

// Public returns those of the public cloud.
func Public() Hosts { return Hosts{Inbound: botauth.Public()} }

// The fake is asked this long, and says no more than that.
const (
	timeout  = 10 * time.Second
	maxBytes = 1 << 20
)

// urls are what the fake says of itself.
type urls struct {
	Login         string            `json:"login"`
	Graph         string            `json:"graph"`
	Azure         string            `json:"azure"`
	Discovery     string            `json:"discovery"`
	PowerPlatform string            `json:"power_platform"`
	DirectLine    string            `json:"direct_line"`
	Connector     string            `json:"connector"`
	LiveChat      string            `json:"live_chat"`
	Organisations map[string]string `json:"organisations"` // by their official address
}

// Simulated asks the control host of a fake where its services are. Everything
// has to be on this machine, so that no setting can lead secrets elsewhere. Its
// faults are simulation-url-invalid and simulation-unreachable.
func Simulated(ctx context.Context, client *http.Client, control string) (Hosts, error) {
	if err := onThisMachine(control); err != nil {
		return Hosts{}, err
	}
	u, err := ask(ctx, client, strings.TrimSuffix(control, "/")+"/urls")
	if err != nil {
		return Hosts{}, fault.Newf(fault.Unavailable, "simulation-unreachable",
			"There is no simulation of Microsoft's cloud at %s. Start it: handoff simulate microsoft.", control).Because(err)
	}
	all := append([]string{u.Login, u.Graph, u.Azure, u.Discovery, u.PowerPlatform, u.DirectLine, u.Connector, u.LiveChat}, slices.Collect(maps.Values(u.Organisations))...)
	for _, at := range all {
		if err := onThisMachine(at); err != nil {
			return Hosts{}, err
		}
	}
	return u.hosts(), nil
}

func onThisMachine(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || !cloud.Loopback(u.Hostname()) {
		return fault.Newf(fault.Invalid, "simulation-url-invalid", "%q is no address of a simulation: it has to be an http URL of this machine.", address)
	}
	return nil
}

func ask(ctx context.Context, client *http.Client, address string) (u urls, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return u, err
	}
	res, err := client.Do(r)
	if err != nil {
		return u, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return u, fmt.Errorf("answered %s", res.Status)
	}
	return u, json.NewDecoder(io.LimitReader(res.Body, maxBytes)).Decode(&u)
}

func (u urls) hosts() Hosts {
	organisation := func(official string) string {
		if at, ok := u.Organisations[official]; ok {
			return at
		}
		return official
	}
	here := []string{"127.0.0.1", "localhost", "::1"}
	return Hosts{
		Connecting: provider.Hosts{
			Login: u.Login, Graph: u.Graph + "/v1.0", Azure: u.Azure, Discovery: u.Discovery, Organisation: organisation, Loopback: true,
			DirectLine: here, TokenEndpoints: here, DirectLineBase: u.DirectLine,
		},
		Relaying: relaying.Hosts{
			Login: u.Login, DirectLine: here, TokenEndpoints: here, Connector: here, DirectLineBase: u.DirectLine, Organisation: organisation,
			LiveChat: u.LiveChat,
		},
		Inbound:   botauth.Cloud{Metadata: u.Login + "/v1/.well-known/openidconfiguration", Issuer: botauth.Public().Issuer},
		Simulated: true,
	}
}
