package identity_test

import (
	"errors"
	"slices"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/identity"
)

func TestRoleMay(t *testing.T) {
	t.Parallel()
	// Every role and every action, so that a new one of either must be decided.
	allowed := map[identity.Role][]identity.Action{
		identity.Admin: identity.Actions(),
		identity.Bot:   {identity.ActRaise},
		identity.Hub:   {identity.ActStatus, identity.ActReadEscalation, identity.ActReadContext},
		identity.Auditor: {
			identity.ActReadEscalation, identity.ActReadWhy, identity.ActReadHistory, identity.ActVerify, identity.ActList,
		},
		"":       nil,
		"admin ": nil,
	}
	for role, actions := range allowed {
		for _, a := range append(identity.Actions(), "", "fly") {
			if got, want := role.May(a), slices.Contains(actions, a); got != want {
				t.Errorf("Role(%q).May(%q) = %v, want %v", role, a, got, want)
			}
		}
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	missing := errors.New("no such escalation")
	principal := func(r identity.Role, connection string) identity.Principal {
		return identity.Principal{ID: "p", Tenant: "acme", Role: r, Connection: connection}
	}
	on := func(tenant, connection string) identity.Resource {
		return identity.Resource{Tenant: tenant, Connection: connection}
	}
	for name, c := range map[string]struct {
		who    identity.Principal
		action identity.Action
		on     identity.Resource
		code   string // empty: allowed
	}{
		"a bot raises on its connection":                    {principal(identity.Bot, "store"), identity.ActRaise, on("acme", "store"), ""},
		"a bot does not learn of another connection":        {principal(identity.Bot, "store"), identity.ActRaise, on("acme", "bank"), "not-found"},
		"a bot does not learn of another tenant":            {principal(identity.Bot, "store"), identity.ActRaise, on("other", "store"), "not-found"},
		"a bot does not raise on the tenant as a whole":     {principal(identity.Bot, "store"), identity.ActRaise, on("acme", ""), "not-found"},
		"a bot without a connection reaches none":           {principal(identity.Bot, ""), identity.ActRaise, on("acme", ""), "not-found"},
		"a bot may not read the context":                    {principal(identity.Bot, "store"), identity.ActReadContext, on("acme", "store"), "not-allowed"},
		"a hub reads contexts anywhere in its tenant":       {principal(identity.Hub, ""), identity.ActReadContext, on("acme", "store"), ""},
		"a hub of one connection reads contexts there":      {principal(identity.Hub, "store"), identity.ActReadContext, on("acme", "store"), ""},
		"a hub of one connection does not learn of others":  {principal(identity.Hub, "store"), identity.ActStatus, on("acme", "bank"), "not-found"},
		"a hub may not erase":                               {principal(identity.Hub, ""), identity.ActErase, on("acme", "store"), "not-allowed"},
		"an auditor reads the history":                      {principal(identity.Auditor, ""), identity.ActReadHistory, on("acme", "store"), ""},
		"an auditor verifies the tenant":                    {principal(identity.Auditor, ""), identity.ActVerify, on("acme", ""), ""},
		"an auditor may not read what customers said":       {principal(identity.Auditor, ""), identity.ActReadContext, on("acme", "store"), "not-allowed"},
		"an administrator erases":                           {principal(identity.Admin, ""), identity.ActErase, on("acme", "store"), ""},
		"an administrator does not learn of another tenant": {principal(identity.Admin, ""), identity.ActErase, on("other", "store"), "not-found"},
		"what may never be done is refused in any tenant":   {principal(identity.Auditor, ""), identity.ActErase, on("other", "store"), "not-allowed"},
		"nobody may do anything":                            {identity.Principal{}, identity.ActRaise, on("", ""), "not-allowed"},
		"an administrator of no tenant reaches nothing":     {identity.Principal{Role: identity.Admin}, identity.ActList, on("", ""), "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.who.Authorize(c.action, c.on)
			if c.code == "" {
				if err != nil {
					t.Fatalf("error = %v, want none", err)
				}
				return
			}
			if got := fault.CodeOf(err); got != c.code {
				t.Errorf("code = %q, want %q", got, c.code)
			}
			want := fault.NotFound
			if c.code == "not-allowed" {
				want = fault.Forbidden
			}
			if got := fault.KindOf(err); got != want {
				t.Errorf("kind = %v, want %v", got, want)
			}
			c.on.Missing = missing
			if err := c.who.Authorize(c.action, c.on); c.code == "not-found" && !errors.Is(err, missing) {
				t.Errorf("error = %v, want that of a missing thing", err)
			}
		})
	}
}

func TestParseRole(t *testing.T) {
	t.Parallel()
	for _, r := range []identity.Role{identity.Admin, identity.Bot, identity.Hub, identity.Auditor} {
		if got, err := identity.ParseRole(string(r)); err != nil || got != r {
			t.Errorf("ParseRole(%q) = %q, %v", r, got, err)
		}
	}
	for _, s := range []string{"", "Admin", "root"} {
		if _, err := identity.ParseRole(s); !fault.Is(err, "role-unknown") {
			t.Errorf("ParseRole(%q) = %v, want role-unknown", s, err)
		}
	}
}
