package omnichannel_test

import (
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/omnichannel"
)

const (
	app     = guid.ID("11111111-2222-4333-8444-555555555555")
	org     = guid.ID("66666666-7777-4888-9999-0000000000aa")
	snippet = `<script v2 id="Microsoft_Omnichannel_LCWidget"
  src="https://oc-cdn-ocprod.azureedge.net/livechatwidget/scripts/LiveChatBootstrapper.js"
  data-app-id="11111111-2222-4333-8444-555555555555" data-lcw-version="prod"
  data-org-id="66666666-7777-4888-9999-0000000000aa"
  data-org-url="https://m-66666666-7777-4888-9999-0000000000aa.eu.omnichannelengagementhub.com"></script>`
	botCode = `<iframe src="https://web.powerva.microsoft.com/environments/e/bots/b/webchat?__version__=2" frameborder="0"></iframe>`
)

func with(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(snippet) }

func TestWidgets(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		snippet string
		region  string
		finding string
	}{
		"as it is copied":                 {snippet, "eu", ""},
		"in the middle of a page":         {"<!doctype html><p>a < b</p><!-- " + botCode + " -->" + snippet + "<script>if (a<b) x='<iframe src=" + `"https://web.powerva.microsoft.com/"` + ">'</script>", "eu", ""},
		"in a comment only, and then not": {"<!-- " + with("11111111", "22222222") + " -->" + snippet, "eu", ""},
		"twice the same":                  {snippet + snippet, "eu", ""},
		"in single quotes (8.17)":         {with(`"`, `'`), "eu", ""},
		"without quotes (8.17)":           {with(`"`, ``), "eu", ""},
		"in upper case (8.17)":            {with("script v2 id", "SCRIPT ID", "data-app-id", "DATA-APP-ID", "Microsoft_Omni", "MICROSOFT_OMNI"), "eu", ""},
		"a newline around = (8.17)":       {with(`data-org-id=`, "data-org-id\n =\r\n\t"), "eu", ""},
		"in another order (8.17)":         {`<script data-org-url="https://m-66666666-7777-4888-9999-0000000000aa.us.omnichannelengagementhub.com" data-org-id='{66666666-7777-4888-9999-0000000000AA}' async data-app-id=" 11111111-2222-4333-8444-555555555555 " id=Microsoft_Omnichannel_LCWidget />`, "us", ""},
		"after a word processor":          {with(`="`, `=“`, `"`, `”`), "eu", ""},
		"as a page shows it":              {with("<", "&lt;", ">", "&gt;", `"`, "&quot;"), "eu", ""},
		"an end that was not copied":      {strings.TrimSuffix(snippet, "></script>"), "eu", ""},
		"the first of two attributes":     {with(`data-lcw-version="prod"`, `data-app-id="x"`), "eu", ""},
		"of the open-source widget":       {with("Microsoft_Omnichannel_LCWidget", "oc-lcw-script", "https://oc-cdn-ocprod.azureedge.net/livechatwidget/scripts/LiveChatBootstrapper.js", "/static/app.js"), "eu", ""},
		"the other form of address":       {with("m-66666666-7777-4888-9999-0000000000aa.eu.", "unq66666666777748889999000000000-crm4."), "crm4", ""},
		"another's address, in one form":  {with("//m-66666666", "//m-77777777"), "eu", omnichannel.FindingOrgURLOther},
		"and in the other":                {with("m-66666666-7777-4888-9999-0000000000aa.eu.", "unq76666666777748889999000000000-crm."), "crm", omnichannel.FindingOrgURLOther},
		"a host that nobody knows":        {with("omnichannelengagementhub.com", "hub.example"), "", omnichannel.FindingOrgURLHost},
		"the bot's code beside it":        {snippet + botCode, "eu", omnichannel.FindingBotToo},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, findings, err := omnichannel.ParseWidget(c.snippet, org)
			if err != nil || w.AppID != app || w.OrgID != org || w.Region != c.region {
				t.Fatalf("widget = %+v, %v", w, err)
			}
			if len(findings) > 1 || (len(findings) == 1) != (c.finding != "") || c.finding != "" && findings[0].Code != c.finding {
				t.Errorf("findings = %v, want %q", findings, c.finding)
			}
		})
	}
}

func TestCodesThatAreRefused(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ snippet, code string }{
		"the bot's code (8.17)":              {botCode, "embed-code-of-bot"},
		"the bot's page":                     {" https://web.powerva.microsoft.com/environments/e/bots/b/canvas ", "embed-code-of-bot"},
		"the bot's code, by its later name":  {`<IFRAME SRC='https://copilotstudio.microsoft.com/environments/e/bots/b/webchat'>`, "embed-code-of-bot"},
		"an Azure bot's web chat":            {`<iframe src="https://webchat.botframework.com/embed/b?s=secret">`, "embed-code-of-bot"},
		"nothing":                            {"", "embed-code-not-found"},
		"some other widget":                  {`<script src="https://chat.example/widget.js" data-app-id="1"></script>`, "embed-code-not-found"},
		"a comment":                          {"<!-- " + snippet + " -->", "embed-code-not-found"},
		"what a script says, not what it is": {"<script>var s = '" + snippet + "'</script>", "embed-code-not-found"},
		"two widgets":                        {snippet + with("11111111", "22222222"), "embed-code-ambiguous"},
		"another organisation's":             {with("66666666", "77777777"), "embed-code-other-organisation"},
		"no id":                              {with(`id="Microsoft_Omnichannel_LCWidget"`, ""), "embed-code-incomplete"},
		"no app id":                          {with("data-app-id", "data-bot-id"), "embed-code-incomplete"},
		"an app id that is none":             {with(string(app), "{{app id}}"), "embed-code-incomplete"},
		"no organisation":                    {with("data-org-id", "data-org"), "embed-code-incomplete"},
		"no address":                         {with("data-org-url", "data-url"), "embed-code-incomplete"},
		"an address without TLS":             {with("https://m-", "http://m-"), "embed-code-incomplete"},
		"an address that runs":               {with("https://m-", "javascript:m-"), "embed-code-incomplete"},
		"a national cloud (8.18)":            {with("eu.omnichannelengagementhub.com", "crm9.dynamics.com"), "national-cloud-unsupported"},
		"a whole site":                       {strings.Repeat(" ", omnichannel.MaxSnippet) + snippet, "embed-code-too-large"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if w, _, err := omnichannel.ParseWidget(c.snippet, org); !fault.Is(err, c.code) || w != (omnichannel.Widget{}) {
				t.Errorf("%+v, %v; want %s", w, err, c.code)
			}
		})
	}
	if _, _, err := omnichannel.ParseWidget(with("66666666", "77777777"), ""); err != nil {
		t.Errorf("no organisation to compare with: %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := omnichannel.Pages{Organisation: "https://store.crm4.dynamics.com"}
	inApp := omnichannel.Pages{Organisation: p.Organisation, App: app}
	for got, want := range map[string]string{
		p.AdminCenter():     "https://store.crm4.dynamics.com/main.aspx",
		inApp.AdminCenter(): "https://store.crm4.dynamics.com/main.aspx?appid=" + string(app),
		p.Queue(org):        "https://store.crm4.dynamics.com/main.aspx?etn=queue&id=" + string(org) + "&pagetype=entityrecord",
		p.Workstream(org):   "https://store.crm4.dynamics.com/main.aspx?etn=msdyn_liveworkstream&id=" + string(org) + "&pagetype=entityrecord",
		p.Conversation(org): "https://store.crm4.dynamics.com/main.aspx?etn=msdyn_ocliveworkitem&id=" + string(org) + "&pagetype=entityrecord",
		inApp.User(org):     "https://store.crm4.dynamics.com/main.aspx?appid=" + string(app) + "&etn=systemuser&id=" + string(org) + "&pagetype=entityrecord",
	} {
		if got != want {
			t.Errorf("page = %s, want %s", got, want)
		}
	}
}

func FuzzParseWidget(f *testing.F) {
	for _, seed := range []string{snippet, botCode, "<script id='", "<!--", "<a =b>", "<script></script", "&lt;script", `<script data-org-id="x" id=oc-lcw-script>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, _, err := omnichannel.ParseWidget(s, org)
		if err == nil && (w.OrgID != org || w.AppID == "" || !strings.HasPrefix(w.OrgURL, "http")) {
			t.Errorf("%q is %+v", s, w)
		}
		if err != nil && fault.Of(err) == nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}
