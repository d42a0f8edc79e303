package dataverse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/guid"
)

// Choices of systemusers. That of accessmode is documented; those of Omnichannel
// too (reference of systemuser).
const (
	accessNonInteractive = 4
	agentBot             = 192350001
	botProviderOther     = 192350001
)

// RoleAgent is the security role by which a bot takes conversations.
const RoleAgent = "Omnichannel agent"

// User is an application user: an application as a member of an organisation.
type User struct {
	ID       guid.ID
	AppID    guid.ID
	Disabled bool
	Bot      bool // of Omnichannel's kind, to which a workstream may give conversations
	// Unlicensed says that the organisation knows of no licence (documented:
	// islicensed of systemuser); false also where it does not say.
	Unlicensed bool
}

func userColumns() []string {
	return []string{"systemuserid", "applicationid", "isdisabled", "msdyn_agenttype", "islicensed"}
}

func user(r row) User {
	licensed, known := value[bool](r, "islicensed")
	return User{
		ID: r.id("systemuserid"), AppID: r.id("applicationid"), Disabled: r.truth("isdisabled"), Bot: r.number("msdyn_agenttype") == agentBot,
		Unlicensed: known && !licensed,
	}
}

// FindApplicationUser returns the user of an application, and whether there is
// one. An organisation has at most one for each. Needs prvReadUser.
func (c *Client) FindApplicationUser(ctx context.Context, app guid.ID) (User, bool, error) {
	rows, err := c.list(ctx, query{path: "/systemusers", columns: userColumns(), filter: "applicationid eq " + string(app)})
	if err != nil || len(rows) == 0 {
		return User{}, false, wrap(err, "find the user of application %s", app)
	}
	return user(rows[0]), true, nil
}

// Change is what an operation did.
type Change string

// The changes.
const (
	Unchanged Change = "unchanged"
	Created   Change = "created"
	Enabled   Change = "enabled" // it was there, and disabled
)

// EnsureApplicationUser returns the enabled user of an application, a bot's; it
// makes one in a business unit where there is none, and enables one that is
// disabled. Needs prvReadUser, prvCreateUser and prvWriteUser.
func (c *Client) EnsureApplicationUser(ctx context.Context, app, businessUnit guid.ID) (User, Change, error) {
	u, found, err := c.FindApplicationUser(ctx, app)
	if err != nil {
		return User{}, "", err
	}
	if !found {
		return c.createUser(ctx, app, businessUnit)
	}
	if !u.Disabled {
		return u, Unchanged, nil
	}
	if err := c.SetUserDisabled(ctx, u.ID, false); err != nil {
		return User{}, "", err
	}
	u.Disabled = false
	return u, Enabled, nil
}

// createUser makes a user. Where another call was faster, Dataverse says that
// it is a duplicate, and the user is there.
func (c *Client) createUser(ctx context.Context, app, businessUnit guid.ID) (User, Change, error) {
	r, err := c.create(ctx, "systemusers", map[string]any{
		"applicationid": string(app), "accessmode": accessNonInteractive, "isdisabled": false,
		"businessunitid@odata.bind": at("businessunits", businessUnit),
		"msdyn_agenttype":           agentBot, "msdyn_botapplicationid": string(app), "msdyn_botprovider": botProviderOther,
	})
	if duplicate(err) {
		if u, found, again := c.FindApplicationUser(ctx, app); found || again != nil {
			return u, Unchanged, again
		}
	}
	if err != nil {
		return User{}, "", wrap(err, "create the user of application %s", app)
	}
	return user(r), Created, nil
}

// SetUserDisabled disables a user, which keeps all that belongs to it, or
// enables it again. Needs prvWriteUser.
func (c *Client) SetUserDisabled(ctx context.Context, id guid.ID, disabled bool) error {
	err := c.update(ctx, "systemusers", id, map[string]any{"isdisabled": disabled})
	return wrap(err, "set whether user %s is disabled", id)
}

// EnsureRole gives a user the security role of a name in a business unit; changed
// says that the user did not have it. An organisation without the role is the
// fault dataverse-role-missing. Needs prvReadRole, prvReadUser, prvAssignRole.
func (c *Client) EnsureRole(ctx context.Context, user, businessUnit guid.ID, name string) (changed bool, err error) {
	roles, err := c.list(ctx, query{
		path: "/roles", columns: []string{"roleid", "name"},
		filter: "name eq " + quoted(name) + " and _businessunitid_value eq " + string(businessUnit),
	})
	if err != nil {
		return false, wrap(err, "find the role %s", name)
	}
	if len(roles) == 0 {
		return false, fault.Newf(fault.NotFound, "dataverse-role-missing",
			"The organisation has no security role %q in this business unit. Is Omnichannel for Customer Service installed there?", name)
	}
	held, err := c.Roles(ctx, user)
	if err != nil || slices.Contains(held, name) {
		return false, err
	}
	err = c.link(ctx, "systemusers", user, "systemuserroles_association", "roles", roles[0].id("roleid"))
	return err == nil, wrap(err, "give user %s the role %s", user, name)
}

// Roles returns the names of a user's security roles. Needs prvReadRole and
// prvReadUser.
func (c *Client) Roles(ctx context.Context, user guid.ID) ([]string, error) {
	rows, err := c.list(ctx, query{path: at("systemusers", user) + "/systemuserroles_association", columns: []string{"roleid", "name"}})
	if err != nil {
		return nil, wrap(err, "roles of user %s", user)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.text("name"))
	}
	return names, nil
}

// RootBusinessUnit returns the organisation's topmost business unit, in which
// application users and their roles are. Needs prvReadBusinessUnit.
func (c *Client) RootBusinessUnit(ctx context.Context) (guid.ID, error) {
	rows, err := c.list(ctx, query{path: "/businessunits", columns: []string{"businessunitid"}, filter: "_parentbusinessunitid_value eq null"})
	if err != nil {
		return "", wrap(err, "find the root business unit")
	}
	if len(rows) != 1 {
		return "", fmt.Errorf("find the root business unit: there are %d", len(rows))
	}
	return rows[0].id("businessunitid"), nil
}

// Solution is an installed solution.
type Solution struct {
	Name    string // the unique one
	Version string
}

// Solutions returns those of the named solutions that are installed. Needs
// prvReadSolution.
func (c *Client) Solutions(ctx context.Context, names ...string) ([]Solution, error) {
	var filter strings.Builder
	for i, n := range names {
		if i > 0 {
			filter.WriteString(" or ")
		}
		filter.WriteString("uniquename eq " + quoted(n))
	}
	rows, err := c.list(ctx, query{path: "/solutions", columns: []string{"uniquename", "version"}, filter: filter.String()})
	if err != nil {
		return nil, wrap(err, "list solutions")
	}
	var all []Solution
	for _, r := range rows {
		all = append(all, Solution{Name: r.text("uniquename"), Version: r.text("version")})
	}
	return all, nil
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
