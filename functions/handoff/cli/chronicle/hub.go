package chronicle

import (
	"fmt"
	"strings"

	"handoff/events"
)

// hub tells what a connection does at its hub, and what is known of its bot.
func hub(f events.Fact) string {
	switch f := f.(type) {
	case *events.OmnichannelSet:
		return fmt.Sprintf("takes the path %s; the queue is chosen by %s; application %s of directory %s calls for it", f.Path, f.Routing, f.ClientID, f.Directory)
	case *events.RegionsOverridden:
		return fmt.Sprintf("crosses geographies (bot %s, hub %s, log %s); %s answers for that: %s", f.Regions.Bot, f.Regions.Hub, f.Regions.Log, f.By, f.Why)
	case *events.HealthCheckSet:
		return "asks " + orElse(f.URL, "nobody") + " whether its bot works"
	case *events.PrerequisitesChecked:
		return "looked at its hub: " + findings(f.Findings)
	case *events.ApplicationUserEnabled:
		return fmt.Sprintf("has its user %s in the hub (%s by %s)", f.User, f.Done, f.By)
	case *events.ApplicationUserDisabled:
		return fmt.Sprintf("has its user %s in the hub disabled%s", f.User, when(f.Gone, ": somebody had deleted it"))
	case *events.BotPublished:
		return "has its bot published" + when(f.LastPublishFailed, ", in an earlier version") + words(f.Detail)
	case *events.BotUnpublished:
		return fmt.Sprintf("has no published bot (%s)", f.Code) + words(f.Detail)
	}
	return f.FactType()
}

func findings(all []events.Finding) string {
	if len(all) == 0 {
		return "everything is as it should be"
	}
	var codes []string
	for _, f := range all {
		codes = append(codes, f.Code+when(f.Blocking, " (to be set right first)"))
	}
	return strings.Join(codes, ", ")
}

func words(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}
