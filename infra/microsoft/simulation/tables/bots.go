package tables

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"handoff/infra/microsoft/simulation/wire"
)

// SynchronizationStatus returns the text that a bot's row has of its last
// finished publishing, as observed in live organisations.
func SynchronizationStatus(version int, succeeded bool, started, ended time.Time) string {
	status := map[bool]string{true: "Succeeded", false: "Failed"}[succeeded]
	text, _ := json.Marshal(wire.Object{ //nolint:errchkjson // it is made of JSON
		"$kind": "BotSynchronizationDetails", "contentVersion": version,
		"currentSynchronizationState":  wire.Object{"provisioningStatus": "Provisioned", "state": "Synchronized"},
		"lastFinishedPublishOperation": wire.Object{"status": status, "operationStart": Stamp(started), "operationEnd": Stamp(ended)},
	})
	return string(text)
}

// FailPublish has the next publishing of a bot fail.
func (d *Database) FailPublish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = true
}

// publish is the action PvaPublish: accepted at once, finished later. A
// publishing that fails leaves the earlier version live.
func (d *Database) publish(_, row Row, body wire.Object) (wire.Object, error) {
	if len(body) > 0 {
		return nil, wire.Refuse(http.StatusBadRequest, codePayload, "PvaPublish takes no parameters.")
	}
	d.mu.Lock()
	failing := d.failing
	d.failing = false
	d.mu.Unlock()
	started, id := d.Clock.Now(), wire.String(row, "botid")
	d.Clock.AfterFunc(d.PublishTakes, func() {
		now := d.Clock.Now()
		change := Row{"synchronizationstatus": SynchronizationStatus(1, !failing, started, now)}
		if !failing {
			change["publishedon"], change["componentstate"] = Stamp(now), 0.0
		}
		d.Put("bots", id, change)
	})
	return wire.Object{"PublishedBotContentId": "", "PublishBotJobResponse": fmt.Sprintf("queued for %s", id)}, nil
}
