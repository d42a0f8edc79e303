package dataverse

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"handoff/domain/geography"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// DiscoveryBase is the discovery service of the public cloud. It leaves the
// environments of national clouds out (documented).
const DiscoveryBase = "https://globaldisco.crm.dynamics.com"

// Discovery lists environments. It is safe for concurrent use.
type Discovery struct{ api *controlplane.Client }

// NewDiscovery returns a client of the discovery service. Base is
// DiscoveryBase, the tokens are for Scope of it. It is documented for tokens of
// people; that it answers applications is community knowledge.
func NewDiscovery(o controlplane.Options) (*Discovery, error) {
	api, err := controlplane.New(controlplane.API{
		Name: "The discovery service of Dynamics 365", Code: "discovery",
		Deny: "Give the organisation's address instead, such as https://contoso.crm4.dynamics.com.",
	}, o)
	return &Discovery{api: api}, err
}

// Environment is a Power Platform environment with its Dataverse organisation.
type Environment struct {
	URL           string // the organisation's; empty where it is not one that ParseOrganisation takes
	Name          string
	Organisation  guid.ID
	EnvironmentID string // a GUID, or Default- and one
	Tenant        guid.ID
	Region        string // as the service writes it
	Geography     geography.Geography
	Disabled      bool
}

// Environments returns those in which the caller is a user.
func (d *Discovery) Environments(ctx context.Context) ([]Environment, error) {
	a, err := d.api.Do(ctx, controlplane.Request{
		Method: http.MethodGet, Path: "/api/discovery/v2.0/Instances",
		Query: url.Values{"$select": {"ApiUrl,FriendlyName,Region,State,Id,EnvironmentId,TenantId"}},
	})
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	rows, _, err := readPage(a.Body)
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	all := make([]Environment, 0, len(rows))
	for _, r := range rows {
		all = append(all, environment(r))
	}
	return all, nil
}

// environment reads a row. The host says more exactly where it is than the
// region does, which for some places is that of a larger one.
func environment(r row) Environment {
	e := Environment{
		Name: r.text("FriendlyName"), Organisation: r.id("Id"), EnvironmentID: r.text("EnvironmentId"), Tenant: r.id("TenantId"),
		Region: r.text("Region"), Disabled: r.number("State") != 0,
	}
	if address, err := ParseOrganisation(r.text("ApiUrl")); err == nil {
		e.URL = address
		if u, err := url.Parse(address); err == nil {
			e.Geography = GeographyOfHost(u.Hostname())
		}
	}
	if e.Geography == geography.Unknown {
		e.Geography = GeographyOfRegion(e.Region)
	}
	return e
}
