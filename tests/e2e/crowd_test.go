package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// crowdOf has clients raise n escalations and returns their ids.
func (w *world) crowdOf(c connected, clients, n int) []string {
	w.t.Helper()
	ids := make([]string, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				status, body, err := w.do(c.bot, "POST", "/v1/connections/"+c.id+"/escalations", handoff(fmt.Sprintf("crowd-%d", i)))
				var a answer
				if err == nil {
					err = json.Unmarshal(body, &a)
				}
				if err != nil || status != http.StatusAccepted {
					w.t.Errorf("raise = %d %s %v", status, body, err)
					return
				}
				ids[i] = a.ID
			}
		})
	}
	wg.Wait()
	return ids
}
