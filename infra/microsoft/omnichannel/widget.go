package omnichannel

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/entra/guid"
)

// Widget is the hub's chat widget as it is put on a page.
type Widget struct {
	AppID  guid.ID // of the widget, not of a bot
	OrgID  guid.ID // of the hub's organisation
	OrgURL string
	Script string // address of the script
	Region string // the hub's word for where it is, such as eu or crm4; empty: not known
}

// MaxSnippet is how many bytes of markup are read: a snippet has fewer than
// 2,000 (documented), and people paste the page around it.
const MaxSnippet = 64 << 10

// The findings of an embed code. Codes never change once released.
const (
	FindingOrgURLHost  = "org-url-host-unknown" // none of those that were seen
	FindingOrgURLOther = "org-url-other-organisation"
	FindingBotToo      = "embed-code-of-bot-too"
)

// ParseWidget reads the embed code of the hub's chat widget, which an
// administrator copies from the hub, and checks that it is of the organisation;
// an empty one is not compared. Attributes may stand in any order and form
// (Microsoft, "Embed chat widget in your website"; documented and observed).
//
// Its faults are Unprocessable: embed-code-of-bot for the code of the bot
// itself, with which hand-off does not work (documented as a limitation);
// embed-code-not-found, embed-code-incomplete, embed-code-ambiguous,
// embed-code-other-organisation, national-cloud-unsupported; and TooLarge:
// embed-code-too-large.
func ParseWidget(snippet string, organisation guid.ID) (Widget, []Finding, error) {
	if len(snippet) > MaxSnippet {
		return Widget{}, nil, fault.Newf(fault.TooLarge, "embed-code-too-large", "An embed code may have %d bytes; paste the script element alone.", MaxSnippet)
	}
	elements := markup(plain(snippet))
	hub, bots := 0, slices.ContainsFunc(elements, ofBot)
	var widget Widget
	var findings []Finding
	for _, e := range elements {
		if !ofHub(e) {
			continue
		}
		w, found, err := readWidget(e)
		if err != nil {
			return Widget{}, nil, err
		}
		if hub++; hub > 1 && w != widget {
			return Widget{}, nil, refusedCode("ambiguous", "It has two different widgets. Paste the one that customers are to use.")
		}
		widget, findings = w, found
	}
	switch {
	case hub == 0 && (bots || botAddress(strings.TrimSpace(snippet))):
		return Widget{}, nil, refusedCode("of-bot", "This is the bot's own embed code, from which nothing is handed over to people. "+
			"Copy the code of the hub's chat widget instead: in the admin center, open the workstream's chat channel.")
	case hub == 0:
		return Widget{}, nil, refusedCode("not-found", "There is no chat widget of Omnichannel in it. Copy the whole script element.")
	case organisation != "" && widget.OrgID != organisation:
		return Widget{}, nil, refusedCode("other-organisation", "The widget belongs to the organisation "+string(widget.OrgID)+
			", and the connection to "+string(organisation)+".")
	case bots:
		findings = append(findings, Finding{Code: FindingBotToo, Detail: "The page has the bot's own embed code as well; customers who use that are not handed over."})
	}
	return widget, findings, nil
}

func refusedCode(code, detail string) *fault.Error {
	return fault.New(fault.Unprocessable, "embed-code-"+code, detail)
}

// plain undoes what happens to snippets on their way: quotes that a word
// processor bent, and markup that a page shows as text.
func plain(s string) string {
	s = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'").Replace(s)
	if !strings.Contains(s, "<") {
		s = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'").Replace(s)
	}
	return s
}

// ids returns the ids that the widget's script looks for itself by: the classic
// one, and that of the open-source widget.
func ids() []string { return []string{"microsoft_omnichannel_lcwidget", "oc-lcw-script"} }

// ofHub reports whether an element is meant as the hub's widget, perhaps not
// whole.
func ofHub(e element) bool {
	_, org := e.attributes["data-org-id"]
	return e.name == "script" &&
		(org || slices.Contains(ids(), strings.ToLower(e.attributes["id"])) || strings.Contains(strings.ToLower(e.attributes["src"]), "livechatbootstrapper"))
}

// ofBot reports whether an element shows a bot without a hub.
func ofBot(e element) bool {
	return botAddress(e.attributes["src"]) || botAddress(e.attributes["href"])
}

// botAddress knows the addresses of bots' own pages (documented for
// web.powerva.microsoft.com; the others are not verified).
func botAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, h := range []string{"powerva.microsoft.com", "copilotstudio.microsoft.com", "copilotstudio.preview.microsoft.com", "webchat.botframework.com"} {
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	return false
}

func readWidget(e element) (Widget, []Finding, error) {
	if !slices.Contains(ids(), strings.ToLower(e.attributes["id"])) {
		return Widget{}, nil, incomplete("id")
	}
	w := Widget{Script: e.attributes["src"]}
	var ok bool
	if w.AppID, ok = guid.Parse(e.attributes["data-app-id"]); !ok {
		return Widget{}, nil, incomplete("data-app-id")
	}
	if w.OrgID, ok = guid.Parse(e.attributes["data-org-id"]); !ok {
		return Widget{}, nil, incomplete("data-org-id")
	}
	u, err := url.Parse(strings.TrimSpace(e.attributes["data-org-url"]))
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !cloud.Loopback(u.Hostname())) {
		return Widget{}, nil, incomplete("data-org-url")
	}
	if err := cloud.CheckHost(u.Hostname()); err != nil {
		return Widget{}, nil, err
	}
	w.OrgURL = u.Scheme + "://" + strings.ToLower(u.Host)
	findings := w.place(strings.ToLower(u.Hostname()))
	return w, findings, nil
}

func incomplete(attribute string) error {
	return refusedCode("incomplete", "The attribute "+attribute+" is missing or is not what it should be. Copy the whole script element from the hub.")
}

const hubDomain = ".omnichannelengagementhub.com"

// The two forms of organisations' hosts (documented and observed): m-, the
// organisation's id, and a region; unq, the first 29 digits of the id, and a
// region.
var (
	hostByID     = regexp.MustCompile(`^m-([0-9a-f-]{36})\.([a-z0-9]+)$`)
	hostByDigits = regexp.MustCompile(`^unq([0-9a-f]{29})-(crm[0-9]*)$`)
)

// place sets the region, and finds where the organisation's address does not
// fit its id. That is no reason to refuse it: the forms were observed only.
func (w *Widget) place(host string) []Finding {
	name, known := strings.CutSuffix(host, hubDomain)
	if !known {
		return []Finding{{Code: FindingOrgURLHost, Detail: "The host " + host + " is none that is known of Omnichannel."}}
	}
	fits := true
	if m := hostByID.FindStringSubmatch(name); m != nil {
		fits, w.Region = m[1] == string(w.OrgID), m[2]
	} else if m := hostByDigits.FindStringSubmatch(name); m != nil {
		fits, w.Region = strings.HasPrefix(strings.ReplaceAll(string(w.OrgID), "-", ""), m[1]), m[2]
	}
	if fits {
		return nil
	}
	return []Finding{{Code: FindingOrgURLOther, Detail: "The address of the organisation is that of another id than data-org-id says."}}
}
