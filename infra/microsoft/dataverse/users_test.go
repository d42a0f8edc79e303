package dataverse_test

import (
	"slices"
	"testing"

	"handoff/infra/microsoft/dataverse"
)

const userFields = "$select=systemuserid,applicationid,isdisabled,msdyn_agenttype,islicensed"

var (
	findUser = "GET " + api + "/systemusers?$filter=applicationid eq " + appID + "&" + userFields
	nobody   = ask(findUser, `{"value":[]}`)
	enabled  = ask(findUser, `{"value":[{"systemuserid":"`+userID+`","applicationid":"`+appID+`","isdisabled":false,"msdyn_agenttype":192350001}]}`)
	disabled = ask(findUser, `{"value":[{"systemuserid":"`+userID+`","applicationid":"`+appID+`","isdisabled":true,"msdyn_agenttype":192350001}]}`)
	newUser  = with(step{
		Want: "POST " + api + "/systemusers", Status: 201,
		Body: `{"applicationid":"` + appID + `","accessmode":4,"isdisabled":false,"businessunitid@odata.bind":"/businessunits(` + unitID + `)",
			"msdyn_agenttype":192350001,"msdyn_botapplicationid":"` + appID + `","msdyn_botprovider":192350001}`,
		Answer: `{"systemuserid":"` + userID + `","applicationid":"` + appID + `","isdisabled":false,"msdyn_agenttype":192350001}`,
	}, "Prefer", "return=representation")
	enable = with(step{Want: "PATCH " + api + "/systemusers(" + userID + ")", Body: `{"isdisabled":false}`, Status: 204}, "If-Match", "*")
)

func TestEnsureApplicationUser(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		script []step
		change dataverse.Change
		code   string
	}{
		"an application that is no user becomes one":                    {[]step{nobody, newUser}, dataverse.Created, ""},
		"one that is a user stays so":                                   {[]step{enabled}, dataverse.Unchanged, ""},
		"one that was disabled is enabled":                              {[]step{disabled, enable}, dataverse.Enabled, ""},
		"somebody else was faster":                                      {[]step{nobody, refused(newUser, 412, "0x80040237"), enabled}, dataverse.Unchanged, ""},
		"with another status":                                           {[]step{nobody, refused(newUser, 400, "0x80040237"), enabled}, dataverse.Unchanged, ""},
		"a duplicate that is nowhere is told":                           {[]step{nobody, refused(newUser, 412, "0x80040237"), nobody}, "", "dataverse-conflict"},
		"a user who vanished is not created by PATCH":                   {[]step{disabled, refused(enable, 404, "0x80040217")}, "", "dataverse-not-found"},
		"a creation that may have come through is not repeated blindly": {[]step{nobody, {Want: newUser.Want, Body: newUser.Body, Broken: true}}, "", "dataverse-unavailable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			u, change, err := client(t, c.script...).EnsureApplicationUser(t.Context(), appID, unitID)
			if check(t, err, c.code); err == nil && (u != (dataverse.User{ID: userID, AppID: appID, Bot: true}) || change != c.change) {
				t.Errorf("user = %+v, %s, want %s", u, change, c.change)
			}
		})
	}
}

func TestSetUserDisabled(t *testing.T) {
	t.Parallel()
	disable := enable
	disable.Body = `{"isdisabled":true}`
	check(t, client(t, disable).SetUserDisabled(t.Context(), userID, true), "")
}

func TestEnsureRole(t *testing.T) {
	t.Parallel()
	find := "GET " + api + "/roles?$filter=name eq 'Omnichannel agent' and _businessunitid_value eq " + unitID + "&$select=roleid,name"
	role := ask(find, `{"value":[{"roleid":"`+roleID+`","name":"Omnichannel agent"}]}`)
	held := "GET " + api + "/systemusers(" + userID + ")/systemuserroles_association?$select=roleid,name"
	none, has := ask(held, `{"value":[]}`), ask(held, role.Answer)
	give := step{
		Want: "POST " + api + "/systemusers(" + userID + ")/systemuserroles_association/$ref",
		Body: `{"@odata.id":"` + store + api + `/roles(` + roleID + `)"}`, Status: 204,
	}
	for sentence, c := range map[string]struct {
		script  []step
		changed bool
		code    string
	}{
		"a user without the role gets it":     {[]step{role, none, give}, true, ""},
		"one who has it is left alone":        {[]step{role, has}, false, ""},
		"a role that was given meanwhile":     {[]step{role, none, refused(give, 412, "0x80040237")}, true, ""},
		"an organisation without Omnichannel": {[]step{ask(find, `{"value":[]}`)}, false, "dataverse-role-missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			changed, err := client(t, c.script...).EnsureRole(t.Context(), userID, unitID, dataverse.RoleAgent)
			if check(t, err, c.code); changed != c.changed {
				t.Errorf("changed = %v", changed)
			}
		})
	}
}

func TestRootBusinessUnit(t *testing.T) {
	t.Parallel()
	root := ask("GET "+api+"/businessunits?$filter=_parentbusinessunitid_value eq null&$select=businessunitid", `{"value":[{"businessunitid":"`+unitID+`"}]}`)
	if got, err := client(t, root).RootBusinessUnit(t.Context()); got != unitID || err != nil {
		t.Errorf("root = %s, %v", got, err)
	}
	root.Answer = `{"value":[]}`
	_, err := client(t, root).RootBusinessUnit(t.Context())
	check(t, err, "internal")
}

func TestSolutions(t *testing.T) {
	t.Parallel()
	s := ask("GET "+api+"/solutions?$filter=uniquename eq 'A' or uniquename eq 'It''s B'&$select=uniquename,version", `{"value":[{"uniquename":"A","version":"1.0"}]}`)
	got, err := client(t, s).Solutions(t.Context(), "A", "It's B")
	if !slices.Equal(got, []dataverse.Solution{{Name: "A", Version: "1.0"}}) || err != nil {
		t.Errorf("solutions = %+v, %v", got, err)
	}
}
