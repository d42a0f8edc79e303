package dataverse_test

import (
	"slices"
	"testing"
	"time"

	"handoff/infra/microsoft/dataverse"
)

func TestEnsureQueue(t *testing.T) {
	t.Parallel()
	find := "GET " + api + "/queues?$filter=msdyn_isomnichannelqueue eq true and name eq 'Bot''s'&$select=queueid,name,msdyn_queuetype,msdyn_isdefaultqueue"
	own := `{"queueid":"` + queueID + `","name":"Bot's","msdyn_queuetype":192350000,"msdyn_isdefaultqueue":false}`
	list := func(rows string) step { return ask(find, `{"value":[`+rows+`]}`) }
	create := step{
		Want: "POST " + api + "/queues", Status: 201, Answer: own,
		Body: `{"name":"Bot's","queueviewtype":1,"msdyn_isomnichannelqueue":true,"msdyn_queuetype":192350000,"msdyn_assignmentstrategy":192350000}`,
	}
	for sentence, c := range map[string]struct {
		script  []step
		created bool
		code    string
	}{
		"a queue that is there is used":        {[]step{list(own)}, false, ""},
		"one that is not is made":              {[]step{list(""), create}, true, ""},
		"of two nobody knows which":            {[]step{list(own + "," + own)}, false, "dataverse-queue-ambiguous"},
		"one for records takes no chats":       {[]step{list(`{"queueid":"` + queueID + `","name":"Bot's","msdyn_queuetype":192350001}`)}, false, "dataverse-queue-unfit"},
		"a default queue takes no bots":        {[]step{list(`{"queueid":"` + queueID + `","msdyn_queuetype":192350000,"msdyn_isdefaultqueue":true}`)}, false, "dataverse-queue-unfit"},
		"a privilege that is missing stops it": {[]step{list(""), refused(create, 403, "0x80040220")}, false, "dataverse-permission-missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			q, created, err := client(t, c.script...).EnsureQueue(t.Context(), "Bot's")
			check(t, err, c.code)
			if err == nil && (q != (dataverse.Queue{ID: queueID, Name: "Bot's", Messaging: true}) || created != c.created) {
				t.Errorf("queue = %+v, %v", q, created)
			}
		})
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	read := ask("GET "+api+"/queues("+queueID+")/queuemembership_association?"+userFields,
		`{"value":[{"systemuserid":"`+userID+`","applicationid":"`+appID+`"},{"systemuserid":"`+roleID+`","isdisabled":false},{"systemuserid":"`+unitID+`","isdisabled":true}]}`)
	members, err := client(t, read).Members(t.Context(), queueID)
	people := slices.DeleteFunc(slices.Clone(members), func(u dataverse.User) bool { return !u.Person() })
	if err != nil || len(members) != 3 || len(people) != 1 || people[0].ID != roleID {
		t.Errorf("members = %+v, people = %+v, %v", members, people, err)
	}
	add := step{
		Want: "POST " + api + "/queues(" + queueID + ")/queuemembership_association/$ref", Status: 204,
		Body: `{"@odata.id":"` + store + api + `/systemusers(` + botID + `)"}`,
	}
	if changed, err := client(t, read, add).EnsureMember(t.Context(), queueID, botID); !changed || err != nil {
		t.Errorf("a new member: %v, %v", changed, err)
	}
	if changed, err := client(t, read).EnsureMember(t.Context(), queueID, userID); changed || err != nil {
		t.Errorf("a member: %v, %v", changed, err)
	}
}

func TestWorkstreams(t *testing.T) {
	t.Parallel()
	const fields = "?$expand=msdyn_defaultqueue($select=queueid)&$select=msdyn_liveworkstreamid,msdyn_name,msdyn_workdistributionmode,_msdyn_bot_user_value,_msdyn_bot_queue_value"
	row := `{"msdyn_liveworkstreamid":"` + streamID + `","msdyn_name":"Chat","msdyn_workdistributionmode":192350000,"_msdyn_bot_user_value":"` + userID + `","_msdyn_bot_queue_value":null,"msdyn_defaultqueue":{"queueid":"` + queueID + `"}}`
	want := dataverse.Workstream{ID: streamID, Name: "Chat", Push: true, BotUser: userID, Fallback: queueID}
	if all, err := client(t, ask("GET "+api+"/msdyn_liveworkstreams"+fields, `{"value":[`+row+`,{"msdyn_workdistributionmode":192350001}]}`)).Workstreams(t.Context()); err != nil || len(all) != 2 || all[0] != want || all[1].Push {
		t.Errorf("workstreams = %+v, %v", all, err)
	}
	one := ask("GET "+api+"/msdyn_liveworkstreams("+streamID+")"+fields, row)
	if got, err := client(t, one).Workstream(t.Context(), streamID); got != want || err != nil {
		t.Errorf("workstream = %+v, %v", got, err)
	}
	_, err := client(t, refused(one, 404, "0x80040217")).Workstream(t.Context(), streamID)
	check(t, err, "dataverse-not-found")
}

func TestVariables(t *testing.T) {
	t.Parallel()
	read := ask("GET "+api+"/msdyn_ocliveworkstreamcontextvariables?$filter=_msdyn_liveworkstreamid_value eq "+streamID+"&$select=msdyn_name,msdyn_datatype,msdyn_issystemdefined",
		`{"value":[{"msdyn_name":"HandoffQueue","msdyn_datatype":192350000},{"msdyn_name":"Score","msdyn_datatype":192350001,"msdyn_issystemdefined":true}]}`)
	got, err := client(t, read).Variables(t.Context(), streamID)
	if want := []dataverse.Variable{{Name: "HandoffQueue", Kind: dataverse.Text}, {Name: "Score", Kind: dataverse.Number, System: true}}; !slices.Equal(got, want) || err != nil {
		t.Errorf("variables = %+v, %v", got, err)
	}
}

func TestWidgets(t *testing.T) {
	t.Parallel()
	read := ask("GET "+api+"/msdyn_livechatconfigs?$filter=_msdyn_liveworkstreamid_value eq "+streamID+"&$select=msdyn_livechatconfigid,msdyn_name,msdyn_widgetappid,msdyn_widgetsnippet,_msdyn_liveworkstreamid_value",
		`{"value":[{"msdyn_livechatconfigid":"`+roleID+`","msdyn_name":"Shop","msdyn_widgetappid":"{`+appID+`}","msdyn_widgetsnippet":"<script></script>","_msdyn_liveworkstreamid_value":"`+streamID+`"}]}`)
	got, err := client(t, read).Widgets(t.Context(), streamID)
	if want := (dataverse.Widget{ID: roleID, Name: "Shop", AppID: appID, Workstream: streamID, Snippet: "<script></script>"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("widgets = %+v, %v", got, err)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	active := "GET " + api + "/msdyn_routingconfigurations?$filter=_msdyn_liveworkstreamid_value eq " + streamID + " and msdyn_isactiveconfiguration eq true&$select=msdyn_routingconfigurationid"
	script := []step{
		ask(active, `{"value":[{"msdyn_routingconfigurationid":"`+unitID+`"}]}`),
		ask("GET "+api+"/msdyn_routingconfigurationsteps?$filter=_msdyn_routingconfigurationid_value eq "+unitID+"&$select=msdyn_steporder,msdyn_type,_msdyn_rulesetid_value",
			`{"value":[{"msdyn_steporder":2,"msdyn_type":192350002,"_msdyn_rulesetid_value":"`+rulesID+`"},{"msdyn_steporder":1,"msdyn_type":192350000,"_msdyn_rulesetid_value":"`+roleID+`"},{"msdyn_steporder":3,"msdyn_type":192350001,"_msdyn_rulesetid_value":null}]}`),
		ask("GET "+api+"/msdyn_decisionrulesets?$filter=msdyn_decisionrulesetid eq "+roleID+" or msdyn_decisionrulesetid eq "+rulesID+"&$select=msdyn_decisionrulesetid,msdyn_name,msdyn_rulesetdefinition,msdyn_disabledrules",
			`{"value":[{"msdyn_decisionrulesetid":"`+rulesID+`","msdyn_name":"Queues","msdyn_rulesetdefinition":"<decision/>","msdyn_disabledrules":"[]"},{"msdyn_decisionrulesetid":"`+roleID+`","msdyn_name":"Classes"}]}`),
	}
	want := []dataverse.Step{
		{Kind: dataverse.Classify, Ruleset: dataverse.Ruleset{ID: roleID, Name: "Classes"}},
		{Kind: dataverse.ChooseQueue, Ruleset: dataverse.Ruleset{ID: rulesID, Name: "Queues", Definition: "<decision/>", Disabled: "[]"}},
	}
	if got, err := client(t, script...).Routing(t.Context(), streamID); !slices.Equal(got, want) || err != nil {
		t.Errorf("routing = %+v, %v", got, err)
	}
	if got, err := client(t, ask(active, `{"value":[]}`)).Routing(t.Context(), streamID); len(got) != 0 || err != nil {
		t.Errorf("routing without a configuration = %+v, %v", got, err)
	}
}

func TestConversations(t *testing.T) {
	t.Parallel()
	since := time.Date(2024, 5, 2, 9, 0, 0, 0, time.FixedZone("", 7200))
	read := with(ask("GET "+api+"/msdyn_ocliveworkitems?$filter=_msdyn_liveworkstreamid_value eq "+streamID+" and modifiedon ge 2024-05-02T06:59:00Z&$orderby=modifiedon asc"+
		"&$select=msdyn_ocliveworkitemid,_msdyn_liveworkstreamid_value,statuscode,msdyn_statuschangereason,_msdyn_cdsqueueid_value,_msdyn_activeagentid_value,msdyn_escalationcount,"+
		"msdyn_transfercount,msdyn_overflowtransfercount,msdyn_isagentaccepted,msdyn_isabandoned,msdyn_initiatedon,msdyn_startedon,msdyn_closedon,modifiedon",
		`{"value":[
			{"msdyn_ocliveworkitemid":"`+botID+`","_msdyn_liveworkstreamid_value":"`+streamID+`","statuscode":4,"msdyn_statuschangereason":192350011,
			 "_msdyn_cdsqueueid_value":"`+queueID+`","_msdyn_cdsqueueid_value@OData.Community.Display.V1.FormattedValue":"Refunds","_msdyn_activeagentid_value":null,
			 "msdyn_escalationcount":1,"msdyn_transfercount":null,"msdyn_isagentaccepted":false,"msdyn_isabandoned":true,"msdyn_initiatedon":"2024-05-02T07:00:01Z","msdyn_closedon":"2024-05-02T07:00:09Z","modifiedon":"2024-05-02T07:00:09Z"},
			{"msdyn_ocliveworkitemid":null,"modifiedon":"2024-05-02T08:00:00Z"}]}`),
		"Prefer", `odata.maxpagesize=500,odata.include-annotations="*"`)
	got, next, err := client(t, read).Conversations(t.Context(), streamID, since)
	at := func(second int) time.Time { return time.Date(2024, 5, 2, 7, 0, second, 0, time.UTC) }
	want := dataverse.Conversation{
		ID: botID, Workstream: streamID, Status: dataverse.Closed, Reason: dataverse.ClosedByOverflow, Queue: queueID, QueueName: "Refunds",
		Escalations: 1, Abandoned: true, Initiated: at(1), Closed: at(9), Modified: at(9),
	}
	if err != nil || len(got) != 1 || got[0] != want || !next.Equal(at(9)) {
		t.Errorf("conversations = %+v, %v, %v", got, next, err)
	}
	if s := got[0].Reason.String(); s != "closed-by-overflow" {
		t.Errorf("reason = %s", s)
	}
	_, next, err = client(t, refused(read, 403, "0x80040220")).Conversations(t.Context(), streamID, since)
	if check(t, err, "dataverse-permission-missing"); !next.Equal(since) {
		t.Errorf("the watermark moved to %v", next)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for r, want := range map[dataverse.Reason]string{
		192350001: "awaiting-assignment", 192350003: "in-conversation", 192350008: "ended-by-agent", 192350013: "ended-by-bot",
		192350017: "assigned-by-supervisor", 192350018: "reason-192350018", 0: "reason-0",
	} {
		if got := r.String(); got != want {
			t.Errorf("reason %d = %s, want %s", int(r), got, want)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	query := "?$filter=msdyn_name eq 'HandoffEscalationId' and createdon ge 2024-05-02T06:59:00Z&$select=msdyn_value,_msdyn_ocliveworkitemid_value"
	standard := ask("GET "+api+"/msdyn_ocliveworkitemcontextitems"+query, `{"value":[{"msdyn_value":"esc_1","_msdyn_ocliveworkitemid_value":"`+botID+`"}]}`)
	elastic := ask("GET "+api+"/msdyn_ocliveworkitemcontextitemelastics"+query, `{"value":[{"msdyn_value":"esc_2","_msdyn_ocliveworkitemid_value":"`+userID+`"}]}`)
	for sentence, c := range map[string]struct {
		script []step
		want   int
		code   string
	}{
		"both tables are read":                {[]step{standard, elastic}, 2, ""},
		"an old organisation has only one":    {[]step{standard, refused(elastic, 404, "0x8006088a")}, 1, ""},
		"a privilege that is missing is told": {[]step{refused(standard, 403, "0x80040220")}, 0, "dataverse-permission-missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := client(t, c.script...).Values(t.Context(), "HandoffEscalationId", time.Date(2024, 5, 2, 7, 0, 0, 0, time.UTC))
			if check(t, err, c.code); len(got) != c.want || c.want > 0 && got[botID] != "esc_1" {
				t.Errorf("values = %v", got)
			}
		})
	}
}
