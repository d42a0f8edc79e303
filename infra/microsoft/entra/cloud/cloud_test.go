package cloud_test

import (
	"testing"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/cloud"
)

func TestBase(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ address, code, want string }{
		"an organisation in Europe":          {address: "https://store.crm4.dynamics.com", want: "https://store.crm4.dynamics.com"},
		"a slash at the end goes":            {address: "https://graph.microsoft.com/", want: "https://graph.microsoft.com"},
		"a fake on loopback needs no TLS":    {address: "http://127.0.0.1:4321/arm", want: "http://127.0.0.1:4321/arm"},
		"nor in the other family":            {address: "http://[::1]:4321", want: "http://[::1]:4321"},
		"nor by name":                        {address: "http://localhost:4321", want: "http://localhost:4321"},
		"everybody else does":                {address: "http://graph.microsoft.com", code: "service-url-invalid"},
		"a name that only begins like it":    {address: "http://localhost.example", code: "service-url-invalid"},
		"GCC":                                {address: "https://store.crm9.dynamics.com", code: "national-cloud-unsupported"},
		"GCC in upper case, with a dot":      {address: "https://STORE.CRM9.dynamics.com.", code: "national-cloud-unsupported"},
		"GCC High":                           {address: "https://store.crm.microsoftdynamics.us", code: "national-cloud-unsupported"},
		"China":                              {address: "https://store.crm.dynamics.cn", code: "national-cloud-unsupported"},
		"the login of China":                 {address: "https://login.partner.microsoftonline.cn", code: "national-cloud-unsupported"},
		"the login of the US government":     {address: "https://login.microsoftonline.us", code: "national-cloud-unsupported"},
		"the resource manager of it":         {address: "https://management.usgovcloudapi.net", code: "national-cloud-unsupported"},
		"a host that only ends like it":      {address: "https://storecrm9.dynamics.com", want: "https://storecrm9.dynamics.com"},
		"no host":                            {address: "https:///x", code: "service-url-invalid"},
		"no scheme":                          {address: "graph.microsoft.com", code: "service-url-invalid"},
		"a name and password":                {address: "https://me:secret@graph.microsoft.com", code: "service-url-invalid"},
		"a query":                            {address: "https://graph.microsoft.com?x=1", code: "service-url-invalid"},
		"a query with nothing in it":         {address: "https://graph.microsoft.com/v1.0?", code: "service-url-invalid"},
		"text that is no URL with a secret":  {address: "https://me:secret@%zz", code: "service-url-invalid"},
		"a mail address instead of a server": {address: "mailto:me@graph.microsoft.com", code: "service-url-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			u, err := cloud.Base(c.address)
			if c.code != "" {
				if !fault.Is(err, c.code) {
					t.Fatalf("err = %v, want %s", err, c.code)
				}
				return
			}
			if err != nil || u.String() != c.want {
				t.Errorf("Base = %v, %v, want %s", u, err, c.want)
			}
		})
	}
}

func FuzzBase(f *testing.F) {
	for _, seed := range []string{"https://a.crm4.dynamics.com/", "http://[::1]:1", "https://a@b", "//x", "https://x.crm9.dynamics.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := cloud.Base(address)
		if err == nil && (u.Scheme != "https" && !cloud.Loopback(u.Hostname()) || u.Hostname() == "" || u.User != nil) {
			t.Fatalf("Base(%q) = %v", address, u)
		}
		if err != nil && fault.KindOf(err) != fault.Unprocessable {
			t.Fatalf("Base(%q): %v", address, err)
		}
	})
}
