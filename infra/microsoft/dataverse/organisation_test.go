package dataverse_test

import (
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

func TestParseOrganisation(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ pasted, want, code string }{
		"as it is stored":                        {store, store, ""},
		"with the page that somebody looked at":  {" HTTPS://Store.CRM4.dynamics.com/main.aspx?appid=1#x\n", store, ""},
		"without a scheme":                       {"store.crm4.dynamics.com", store, ""},
		"the host of the Web API":                {"https://store.api.crm4.dynamics.com/api/data/v9.2", store, ""},
		"with the port that goes without saying": {"https://store.crm4.dynamics.com:443/", store, ""},
		"North America has no number":            {"https://store.crm.dynamics.com", "https://store.crm.dynamics.com", ""},
		"a fake on loopback":                     {"http://127.0.0.1:8080/x", "http://127.0.0.1:8080", ""},
		"GCC":                                    {"https://store.crm9.dynamics.com", "", "national-cloud-unsupported"},
		"GCC High":                               {"store.crm.microsoftdynamics.us", "", "national-cloud-unsupported"},
		"the Department of Defense":              {"https://store.crm.appsplatform.us", "", "national-cloud-unsupported"},
		"China":                                  {"https://store.crm.dynamics.cn/main.aspx", "", "national-cloud-unsupported"},
		"without encryption":                     {"http://store.crm4.dynamics.com", "", "organisation-url-invalid"},
		"another port":                           {"https://store.crm4.dynamics.com:8443", "", "organisation-url-invalid"},
		"a host that only begins like it":        {"https://store.crm4.dynamics.com.evil.example", "", "organisation-url-invalid"},
		"a host that is hidden in a name":        {"https://store.crm4.dynamics.com@evil.example", "", "organisation-url-invalid"},
		"the administration's own address":       {"https://admin.powerplatform.microsoft.com", "", "organisation-url-invalid"},
		"nothing":                                {"", "", "organisation-url-invalid"},
		"an id":                                  {"{" + botID + "}", "", "organisation-url-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := dataverse.ParseOrganisation(c.pasted)
			if check(t, err, c.code); got != c.want {
				t.Errorf("organisation = %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzParseOrganisation(f *testing.F) {
	for _, seed := range []string{store, "store.api.crm.dynamics.com/x", "http://[::1]:1", "https://a@b", "//", "https://%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		got, err := dataverse.ParseOrganisation(pasted)
		if err != nil {
			if fault.KindOf(err) != fault.Unprocessable {
				t.Fatalf("%q: %v", pasted, err)
			}
			return
		}
		u, err := cloud.Base(got)
		if err != nil || !strings.HasSuffix(u.Hostname(), ".dynamics.com") && !cloud.Loopback(u.Hostname()) {
			t.Fatalf("%q is taken as %q: %v", pasted, got, err)
		}
		if again, err := dataverse.ParseOrganisation(got); again != got || err != nil {
			t.Fatalf("%q is %q, and that %q, %v", pasted, got, again, err)
		}
	})
}

func TestGeographies(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]geography.Geography{
		"store.crm.dynamics.com": geography.NorthAmerica, "STORE.crm4.dynamics.com": geography.Europe, "a.crm2.dynamics.com": geography.SouthAmerica,
		"a.crm16.dynamics.com": geography.Germany, "a.api.crm11.dynamics.com": geography.UnitedKingdom, "a.crm21.dynamics.com": geography.Korea,
		"a.crm9.dynamics.com": geography.Unknown, "a.crm99.dynamics.com": geography.Unknown, "crm4.dynamics.com": geography.Unknown, "": geography.Unknown,
		"store.crm4.dynamics.com.evil.example": geography.Unknown,
	} {
		if got := dataverse.GeographyOfHost(host); got != want {
			t.Errorf("%s is in %q, want %q", host, got, want)
		}
	}
	for code, want := range map[string]geography.Geography{
		"NA": geography.NorthAmerica, " emea ": geography.Europe, "EUR": geography.Europe, "APJ": geography.AsiaPacific,
		"OCE": geography.Australia, "": geography.Unknown, "XX": geography.Unknown, "NA NAM": geography.Unknown,
	} {
		if got := dataverse.GeographyOfRegion(code); got != want {
			t.Errorf("region %q is in %q, want %q", code, got, want)
		}
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	script := step{
		Want: "GET /api/discovery/v2.0/Instances?$select=ApiUrl,FriendlyName,Region,State,Id,EnvironmentId,TenantId",
		Answer: `{"value":[
			{"ApiUrl":"https://store.api.crm4.dynamics.com","FriendlyName":"Store","Region":"EMEA","State":0,"Id":"` + botID + `","EnvironmentId":"Default-` + appID + `","TenantId":"` + userID + `"},
			{"ApiUrl":"https://kontor.crm16.dynamics.com","FriendlyName":"Kontor","Region":"EMEA","State":1},
			{"ApiUrl":"https://new.crm77.dynamics.com","FriendlyName":"New","Region":"XYZ","State":0},
			{"ApiUrl":"https://gov.crm9.dynamics.com","FriendlyName":"Gov","Region":"GCC","State":0}]}`,
	}
	d, err := dataverse.NewDiscovery(controlplane.Options{Base: dataverse.DiscoveryBase, HTTP: controlplanetest.Client(t, script), Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Environments(t.Context())
	if err != nil || len(got) != 4 {
		t.Fatalf("environments = %+v, %v", got, err)
	}
	want := dataverse.Environment{URL: store, Name: "Store", Organisation: botID, EnvironmentID: "Default-" + appID, Tenant: userID, Region: "EMEA", Geography: geography.Europe}
	if got[0] != want {
		t.Errorf("environment = %+v, want %+v", got[0], want)
	}
	if !got[1].Disabled || got[1].Geography != geography.Germany {
		t.Errorf("the host says Germany, and it is disabled: %+v", got[1])
	}
	if got[2].Geography != geography.Unknown || got[2].URL == "" || got[3].URL != "" {
		t.Errorf("a new region and a national cloud: %+v, %+v", got[2], got[3])
	}
}

func TestPermissionsGiveReasons(t *testing.T) {
	t.Parallel()
	for _, setUp := range []bool{true, false} {
		makes := false
		for _, p := range dataverse.Permissions(setUp) {
			if p.API == "" || p.Name == "" || !strings.HasSuffix(p.Reason, ".") {
				t.Errorf("permission %+v", p)
			}
			makes = makes || strings.Contains(p.Name, "prvCreateUser")
		}
		if makes != setUp {
			t.Errorf("set up by Handoff = %t, may make users = %t", setUp, makes)
		}
	}
}
