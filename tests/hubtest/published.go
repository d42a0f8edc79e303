package hubtest

import (
	"maps"
	"net/http"
)

// What the vendor publishes of Direct Line and the Connector, as facts in words
// of our own: microsoft/botframework-sdk, specs/botframework-protocol,
// directline-3.0.json (Direct Line API v3.0, read at commit 79f2d16) and
// botframework-channel.json (Bot Connector API 3.1.10, read at 13be033). Only
// the operations that Handoff calls are listed.
//
// The files require almost nothing. What is required here is what their text
// says, or what a client could not go on without.

// definition is the members that an object may have, with the kinds of their
// values: a kind of JSON, any, another definition, or [] before one of these.
type definition map[string]string

// operation is one operation of a published API.
type operation struct {
	method, path string   // {} stands for one name
	query        []string // parameters
	body         string   // definition, and "" for none
	optional     bool     // the body
	answers      map[int]string
	failures     []int // statuses with an ErrorResponse; nil: every status from 400
}

// Statuses that every operation of Direct Line lists. That a request may be
// malformed the API reference says of all, and the file of some.
func failing(more ...int) []int {
	return append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusTooManyRequests, http.StatusInternalServerError,
	}, more...)
}

// directLineAPI and connectorAPI are by the prefix or the middle of a path.
const (
	directLineAPI = "/v3/directline"
	connectorAPI  = "/v3/conversations"
)

// operations returns the published operations by their names.
func operations() map[string]operation {
	const conversation, activities = directLineAPI + "/conversations/{}", connectorAPI + "/{}/activities"
	resource := map[int]string{http.StatusOK: "ResourceResponse", http.StatusCreated: "ResourceResponse", http.StatusAccepted: "ResourceResponse"}
	begun := map[int]string{http.StatusOK: "Conversation"}
	return map[string]operation{
		"Tokens_GenerateTokenForNewConversation": {
			method: http.MethodPost, path: directLineAPI + "/tokens/generate", body: "TokenParameters", optional: true, answers: begun, failures: failing(),
		},
		"Tokens_RefreshToken": {method: http.MethodPost, path: directLineAPI + "/tokens/refresh", optional: true, answers: begun, failures: failing()},
		"Conversations_StartConversation": {
			method: http.MethodPost, path: directLineAPI + "/conversations", body: "TokenParameters", optional: true,
			answers: map[int]string{http.StatusOK: "Conversation", http.StatusCreated: "Conversation"}, failures: failing(http.StatusConflict),
		},
		"Conversations_ReconnectToConversation": {
			method: http.MethodGet, path: conversation, query: []string{"watermark"}, answers: begun, failures: failing(),
		},
		"Conversations_GetActivities": {
			method: http.MethodGet, path: conversation + "/activities", query: []string{"watermark"},
			answers: map[int]string{http.StatusOK: "ActivitySet"}, failures: failing(),
		},
		"Conversations_PostActivity": {
			method: http.MethodPost, path: conversation + "/activities", body: "ClientActivity",
			answers: map[int]string{http.StatusOK: "ResourceResponse", http.StatusNoContent: ""}, failures: failing(http.StatusBadGateway),
		},
		"Conversations_SendToConversation":      {method: http.MethodPost, path: activities, body: "Activity", answers: resource},
		"Conversations_SendConversationHistory": {method: http.MethodPost, path: activities + "/history", body: "Transcript", answers: resource},
		"Conversations_ReplyToActivity":         {method: http.MethodPost, path: activities + "/{}", body: "Activity", answers: resource},
		"Conversations_UpdateActivity":          {method: http.MethodPut, path: activities + "/{}", body: "Activity", answers: resource},
	}
}

// required returns the members without which a definition says nothing.
func required() map[string][]string {
	return map[string][]string{
		"Conversation": {"conversationId", "token"}, "ActivitySet": {"activities"}, "ResourceResponse": {"id"},
		"ErrorResponse": {"error"}, "Error": {"code", "message"}, "Transcript": {"activities"},
		"Activity": {"type"}, "ClientActivity": {"type", "from"}, "Sender": {"id"},
	}
}

// definitions returns the published definitions. A file that says object of a
// member without naming its members lets it be anything: value and channelData
// are so in the activity specification. Enumerations are strings.
func definitions() map[string]definition {
	account := definition{"id": "string", "name": "string", "aadObjectId": "string", "role": "string"}
	activity := definition{
		"type": "string", "id": "string", "timestamp": "string", "localTimestamp": "string", "localTimezone": "string", "callerId": "string",
		"serviceUrl": "string", "channelId": "string", "from": "ChannelAccount", "conversation": "ConversationAccount",
		"recipient": "ChannelAccount", "textFormat": "string", "attachmentLayout": "string", "membersAdded": "[]ChannelAccount",
		"membersRemoved": "[]ChannelAccount", "reactionsAdded": "[]object", "reactionsRemoved": "[]object", "topicName": "string",
		"historyDisclosed": "boolean", "locale": "string", "text": "string", "speak": "string", "inputHint": "string", "summary": "string",
		"suggestedActions": "object", "attachments": "[]Attachment", "entities": "[]object", "channelData": "any", "action": "string",
		"replyToId": "string", "label": "string", "valueType": "string", "value": "any", "name": "string", "relatesTo": "ConversationReference",
		"code": "string", "expiration": "string", "importance": "string", "deliveryMode": "string", "listenFor": "[]string",
		"textHighlights": "[]object", "semanticAction": "object", "transcript": "Transcript",
	}
	posted := maps.Clone(activity)
	posted["from"] = "Sender" // "must be populated with a user ID"
	return map[string]definition{
		"ChannelAccount": account, "Sender": account, "Activity": activity, "ClientActivity": posted,
		"ConversationAccount": {
			"isGroup": "boolean", "conversationType": "string", "tenantId": "string", "id": "string", "name": "string", "aadObjectId": "string", "role": "string",
		},
		"ConversationReference": {
			"activityId": "string", "user": "ChannelAccount", "bot": "ChannelAccount", "conversation": "ConversationAccount",
			"channelId": "string", "serviceUrl": "string", "locale": "string",
		},
		"Attachment":       {"contentType": "string", "contentUrl": "string", "content": "any", "name": "string", "thumbnailUrl": "string"},
		"Transcript":       {"activities": "[]Activity"},
		"TokenParameters":  {"user": "ChannelAccount", "trustedOrigins": "[]string"},
		"Conversation":     {"conversationId": "string", "token": "string", "expires_in": "number", "streamUrl": "string", "referenceGrammarId": "string", "eTag": "string"},
		"ActivitySet":      {"activities": "[]Activity", "watermark": "string"},
		"ResourceResponse": {"id": "string"},
		"ErrorResponse":    {"error": "Error"},
		"Error":            {"code": "string", "message": "string", "innerHttpError": "object"},
	}
}
