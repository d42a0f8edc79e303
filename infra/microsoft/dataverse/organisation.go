package dataverse

import (
	"net/url"
	"regexp"
	"strings"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/infra/microsoft/entra/cloud"
)

// place is a data center region of Dynamics 365: the label in its hosts
// (crm4.dynamics.com), and the codes that the vendor writes for it. Hosts are
// documented (Microsoft, "Power Platform and Dynamics 365 datacenter regions"),
// with one code each; the rest of the codes, and the last three rows, are
// general knowledge and not verified. GCC, crm9, is refused as a national cloud.
type place struct {
	label     string
	geography geography.Geography
	codes     string
}

//nolint:gochecknoglobals // a table that never changes
var places = []place{
	{"crm", geography.NorthAmerica, "NA NAM"},
	{"crm2", geography.SouthAmerica, "SAM LATAM"},
	{"crm3", geography.Canada, "CAN"},
	{"crm4", geography.Europe, "EMEA EUR"},
	{"crm5", geography.AsiaPacific, "APJ APAC"},
	{"crm6", geography.Australia, "OCE"},
	{"crm7", geography.Japan, "JPN"},
	{"crm8", geography.India, "IND"},
	{"crm11", geography.UnitedKingdom, "GBR UK"},
	{"crm12", geography.France, "FRA"},
	{"crm14", geography.SouthAfrica, "ZAF"},
	{"crm15", geography.UnitedArabEmirates, "UAE"},
	{"crm16", geography.Germany, "GER"},
	{"crm17", geography.Switzerland, "CHE"},
	{"crm19", geography.Norway, "NOR"},
	{"crm20", geography.Singapore, "SGP"},
	{"crm21", geography.Korea, "KOR"},
}

// GeographyOfRegion returns where a region of the discovery service is, Unknown
// for one that this version does not know.
func GeographyOfRegion(code string) geography.Geography {
	for _, p := range places {
		for c := range strings.FieldsSeq(p.codes) {
			if strings.EqualFold(c, strings.TrimSpace(code)) {
				return p.geography
			}
		}
	}
	return geography.Unknown
}

// GeographyOfHost returns where the organisation with a host is, Unknown for a
// region that this version does not know and for what is no such host.
func GeographyOfHost(host string) geography.Geography {
	m := organisationHost.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return geography.Unknown
	}
	for _, p := range places {
		if p.label == m[3] {
			return p.geography
		}
	}
	return geography.Unknown
}

// The Web API also answers at a host with the label api inside (documented:
// the ApiUrl of the discovery service); it is the same organisation.
var organisationHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?)(?:\.api)?\.(crm[0-9]{0,3})\.dynamics\.com$`)

// ParseOrganisation reads an organisation's address as people paste it: with
// the path of the page that they were looking at, without https://, in any
// case. It returns the form that is stored and compared, such as
// https://contoso.crm4.dynamics.com. An address on loopback passes, for a fake
// may run there. Its fault has the code national-cloud-unsupported or
// organisation-url-invalid.
func ParseOrganisation(pasted string) (string, error) {
	text := strings.TrimSpace(pasted)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil {
		return "", notOrganisation()
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if err := cloud.CheckHost(host); err != nil {
		return "", err
	}
	if cloud.Loopback(host) && (u.Scheme == "http" || u.Scheme == "https") {
		return u.Scheme + "://" + strings.ToLower(u.Host), nil
	}
	m := organisationHost.FindStringSubmatch(host)
	if m == nil || u.Scheme != "https" || u.Port() != "" && u.Port() != "443" {
		return "", notOrganisation()
	}
	return "https://" + m[1] + "." + m[3] + ".dynamics.com", nil
}

func notOrganisation() error {
	return fault.New(fault.Unprocessable, "organisation-url-invalid",
		"The organisation is given by its address, such as https://contoso.crm4.dynamics.com. It stands in the browser's address bar in the Omnichannel administration, and as Environment URL in the Power Platform admin center.")
}
