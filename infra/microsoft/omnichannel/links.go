package omnichannel

import (
	"net/url"

	"handoff/infra/microsoft/entra/guid"
)

// Pages makes addresses of pages in an organisation, so that people get to what
// Handoff speaks of with one click. Opening one needs a role there.
//
// The form is that of Microsoft's "Open apps, forms, views, dialogs, and reports
// with a URL" (documented).
type Pages struct {
	// Organisation is the address of the environment:
	// https://contoso.crm4.dynamics.com
	Organisation string
	// App is the id of the app in which pages open, or empty for the one that
	// the browser used last. The admin center's is found in the table
	// appmodules.
	App guid.ID
}

// AdminCenter returns the address of the app's first page.
func (p Pages) AdminCenter() string { return p.page(url.Values{}) }

// Queue returns the address of a queue.
func (p Pages) Queue(id guid.ID) string { return p.record("queue", id) }

// Workstream returns the address of a workstream.
func (p Pages) Workstream(id guid.ID) string { return p.record("msdyn_liveworkstream", id) }

// Conversation returns the address of the hub's record of a conversation.
func (p Pages) Conversation(id guid.ID) string { return p.record("msdyn_ocliveworkitem", id) }

// User returns the address of a user, which for a bot is an application user.
func (p Pages) User(id guid.ID) string { return p.record("systemuser", id) }

func (p Pages) record(table string, id guid.ID) string {
	return p.page(url.Values{"pagetype": {"entityrecord"}, "etn": {table}, "id": {string(id)}})
}

func (p Pages) page(q url.Values) string {
	if p.App != "" {
		q.Set("appid", string(p.App))
	}
	address := p.Organisation + "/main.aspx"
	if len(q) == 0 {
		return address
	}
	return address + "?" + q.Encode()
}
