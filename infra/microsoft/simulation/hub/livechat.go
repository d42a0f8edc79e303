package hub

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// The codes of errors that the live chat service puts into a header (read from
// the vendor's client: OmnichannelErrorCodes).
const (
	noWidget     = "701"
	outsideHours = "705"
)

// session is a chat that a client opens by the live chat service.
type session struct {
	app, id, thread string
	conversation    string // id of its record; empty until the session is started
}

// LiveChat returns the service that chat widgets talk to. Its routes, and what
// goes with a request, are those that the vendor's clients were seen to use
// (microsoft/omnichannel-sdk, src/SDK.ts). Assumptions, not verified: that a
// session needs a token first, that the name of the session is demanded back,
// that a session which is started twice is one, that the details of one that is
// not started have status 204, and every error but its header. Messages do not go
// through this service, and are not simulated.
func (h *Hub) LiveChat() http.Handler {
	const place, base = "/{org}/{app}", "/livechatconnector"
	return wire.Routes{
		"GET " + base + "/config" + place:                                h.onWidget(h.chatConfig),
		"GET " + base + "/v2/getchattoken" + place + "/{request}":        h.onWidget(h.chatToken),
		"GET " + base + "/v3/getchattoken" + place + "/{request}":        h.onWidget(h.chatToken),
		"POST " + base + "/sessioninit" + place + "/{request}":           h.onWidget(h.inSession(h.chatBegins)),
		"GET " + base + "/getliveworkitemdetails" + place + "/{request}": h.onWidget(h.inSession(h.chatDetails)),
		"POST " + base + "/sessionclose" + place + "/{request}":          h.onWidget(h.inSession(h.chatEnds)),
	}.Handler(LiveChatShape)
}

// LiveChatShape writes a refusal as the live chat service does: what is known of
// it are two headers.
func LiveChatShape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	if f.Code != "" {
		w.Header().Set("errorcode", f.Code)
	}
	w.Header().Set("message", f.Message)
	w.WriteHeader(f.Status)
}

// visit is a request about a widget.
type visit struct {
	http.ResponseWriter
	*http.Request

	db      *tables.Database
	stream  tables.Row
	app     string
	session *session
}

// onWidget holds a request to the widget that it names.
func (h *Hub) onWidget(f func(visit) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Query().Get("channelId") != "lcw" {
			return wire.Refuse(http.StatusBadRequest, "", "channelId is not lcw.")
		}
		if id := r.PathValue("request"); id != "" && !odata.IsGUID(id) {
			return wire.Refuse(http.StatusBadRequest, "", "The request id is no GUID.")
		}
		i := slices.IndexFunc(h.Organisations, func(d *tables.Database) bool { return d.ID == r.PathValue("org") })
		if i < 0 || h.Organisations[i].Disabled {
			return wire.Refuse(http.StatusNotFound, "", "There is no such organisation.")
		}
		db := h.Organisations[i]
		configs := db.All("msdyn_livechatconfigs", "msdyn_widgetappid", r.PathValue("app"))
		if len(configs) == 0 {
			return wire.Refuse(http.StatusBadRequest, noWidget, "There is no such widget.")
		}
		stream := db.Get("msdyn_liveworkstreams", wire.String(configs[0], "_msdyn_liveworkstreamid_value"))
		h.mu.Lock()
		defer h.mu.Unlock()
		return f(visit{ResponseWriter: w, Request: r, db: db, stream: stream, app: r.PathValue("app")})
	}
}

// inSession holds a request to a session that has a token.
func (h *Hub) inSession(f func(visit) error) func(visit) error {
	return func(v visit) error {
		s := h.sessions[strings.ToLower(v.PathValue("request"))]
		if s == nil || s.app != v.app {
			return wire.Refuse(http.StatusNotFound, "", "There is no such session.")
		}
		if v.Request.Header.Get("Oc-Sessionid") != s.id {
			return wire.Refuse(http.StatusUnauthorized, "", "The session has another name.")
		}
		v.session = s
		return f(v)
	}
}

func (h *Hub) chatConfig(v visit) error {
	if !odata.IsGUID(v.URL.Query().Get("requestId")) {
		return wire.Refuse(http.StatusBadRequest, "", "requestId is missing.")
	}
	wire.JSON(v.ResponseWriter, http.StatusOK, wire.Object{
		"LiveChatVersion": 2, "LiveChatConfigAuthSettings": nil, "ChatWidgetLanguage": wire.Object{"msdyn_localeid": "1033"},
		"DataMaskingInfo": wire.Object{"setting": wire.Object{"msdyn_maskforcustomer": false}, "dataMaskingRules": wire.Object{}},
		"LiveWSAndLiveChatEngJoin": wire.Object{
			"msdyn_conversationmode": "192350000", "msdyn_prechatenabled": "false", "msdyn_requestvisitorlocation": "false",
			"msdyn_enablechatreconnect": "false", "OutOfOperatingHours": map[bool]string{true: "True", false: "False"}[h.shut[v.app]],
		},
	})
	return nil
}

func (h *Hub) chatToken(v visit) error {
	id := strings.ToLower(v.PathValue("request"))
	s := h.sessions[id]
	if s == nil {
		s = &session{app: v.app, id: uuid.NewString(), thread: "19:acsV1_" + uuid.NewString() + "@thread.v2"}
		h.sessions[id] = s
	}
	v.ResponseWriter.Header().Set("Oc-Sessionid", s.id)
	wire.JSON(v.ResponseWriter, http.StatusOK, wire.Object{
		"ChatId": s.thread, "Token": "token~of~the~fake", "ExpiresIn": "86400", "VisitorId": "8:acs:" + v.db.ID + "_" + s.id, "Region": "emea",
		"RegionGtms": "{}", "ACSEndpoint": "https://fake.communication.azure.example/",
		"AttachmentConfiguration": wire.Object{"AttachmentServiceEndpoint": "https://fake.asm.example/"},
	})
	return nil
}

// locale is the form of a language that a session is started with.
var locale = regexp.MustCompile(`^[a-z]{2}(-[a-z]{2,4})?$`)

func (h *Hub) chatBegins(v visit) error {
	body, err := wire.Body(v.ResponseWriter, v.Request)
	if err != nil {
		return err
	}
	fields := wire.Fields{
		"locale": wire.Text, "originurl": wire.Text, "os": wire.Text, "browser": wire.Text, "device": wire.Text, "longitude": wire.Text,
		"latitude": wire.Text, "preChatResponse": wire.Members, "chatId": wire.Text, "cacheKey": wire.Text, "customContextData": wire.Members,
		"portalcontactid": wire.Text, "isProactiveChat": wire.Boolean,
	}
	if err := fields.Check(body, "locale"); err != nil {
		return err
	}
	variables, err := contextOf(wire.Child(body, "customContextData"))
	switch s := v.session; {
	case err != nil:
		return err
	case !locale.MatchString(strings.ToLower(wire.String(body, "locale"))):
		return wire.Refuse(http.StatusBadRequest, "", "The locale is none.")
	case body["chatId"] != nil && body["chatId"] != s.thread:
		return wire.Refuse(http.StatusBadRequest, "", "The chat is another one than the token's.")
	case h.shut[v.app]:
		return wire.Refuse(http.StatusBadRequest, outsideHours, "The widget is used outside of its operating hours.")
	case s.conversation == "":
		c := h.begin(v.db, v.stream, Chat{AppID: v.app, Name: "Visitor", Context: variables})
		c.thread, s.conversation = s.thread, c.id
		c.first()
	}
	v.WriteHeader(http.StatusOK)
	return nil
}

// contextOf reads context variables: a value each, and whether people see it
// (documented: setContextProvider).
func contextOf(data wire.Object) (map[string]any, error) {
	variables := make(map[string]any, len(data))
	for name := range data {
		one := wire.Child(data, name)
		if one == nil {
			return nil, wire.Refuse(http.StatusBadRequest, "", "The context variable "+name+" is no object.")
		}
		if err := (wire.Fields{"value": wire.Any, "isDisplayable": wire.Boolean}).Check(one, "value"); err != nil {
			return nil, err
		}
		variables[name] = one["value"]
	}
	return variables, nil
}

func (h *Hub) chatDetails(v visit) error {
	c, err := h.find(v.session.conversation)
	if err != nil {
		v.WriteHeader(http.StatusNoContent)
		return nil //nolint:nilerr // it has not begun
	}
	details := wire.Object{"State": strings.ReplaceAll(c.status.String(), "Wrap-up", "WrapUp"), "ConversationId": c.id, "CanRenderPostChat": "False"}
	if c.bot != nil {
		details["ParticipantType"] = "Bot"
	}
	wire.JSON(v.ResponseWriter, http.StatusOK, details)
	return nil
}

func (h *Hub) chatEnds(v visit) error {
	if v.ContentLength != 0 {
		body, err := wire.Body(v.ResponseWriter, v.Request)
		if err == nil {
			err = wire.Fields{"chatId": wire.Text}.Check(body)
		}
		if err != nil {
			return err
		}
	}
	if c, err := h.find(v.session.conversation); err == nil && c.status != Closed && c.status != WrapUp {
		if err := c.leave(); err != nil {
			return err
		}
	}
	v.WriteHeader(http.StatusOK)
	return nil
}
