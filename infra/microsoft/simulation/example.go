package simulation

import (
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/tenants"
)

// What the example cloud is made of. Secrets of a fake are none.
const (
	TenantID     = "7e000000-0000-4000-8000-000000000001"
	TenantDomain = "delftstore.onmicrosoft.com"

	// InstallerID is the application that sets connections up: Graph's
	// Application.ReadWrite.OwnedBy, contributor of the Azure Bot, system
	// administrator of the Dataverse organisations.
	InstallerID     = "a0000000-0000-4000-8000-000000000001"
	InstallerSecret = "installer~secret~of~the~example~000000001"
	// RelayID is the application that the Azure Bot runs as.
	RelayID     = "a0000000-0000-4000-8000-000000000002"
	RelaySecret = "relay~secret~of~the~example~0000000000002"
	// BystanderID is an application that may do nothing.
	BystanderID     = "a0000000-0000-4000-8000-000000000003"
	BystanderSecret = "bystander~secret~of~the~example~000000003"
)

// Example returns a cloud with one company in it, a shop in Delft, ready for a
// connection to be made.
func Example(c clock.Clock) Config {
	return Config{
		Clock: c,
		Tenants: []tenants.Tenant{
			{ID: TenantID, Domain: TenantDomain, Applications: []tenants.Application{
				{ID: InstallerID, Name: "Handoff installer", Secret: InstallerSecret, Permissions: []string{tenants.ReadWriteOwned}},
				{ID: RelayID, Name: "Store bot relay", Secret: RelaySecret},
				{ID: BystanderID, Name: "Bystander", Secret: BystanderSecret},
			}},
		},
	}
}
