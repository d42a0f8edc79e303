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
	default:
		return changes(f)
	}
}

// changes tells what Handoff may change at a hub, and what it changed.
func changes(f events.Fact) string {
	switch f := f.(type) {
	case *events.HubChangesAllowed:
		return orElse(f.By, "somebody") + " decides what Handoff may change at the hub: add rules " + yes(f.AddRules) + ", take the endpoint over " + yes(f.TakeOverEndpoint)
	case *events.HubQueuesNamed:
		return fmt.Sprintf("has rules that name %d queues of the hub", len(f.Queues))
	case *events.MessagingEndpointSet:
		if f.Was == f.Is {
			return "has its Azure Bot post to " + f.Is + ", as it did before"
		}
		return fmt.Sprintf("has its Azure Bot post to %s, which posted to %s", f.Is, orElse(f.Was, "nowhere"))
	case *events.HubRulesSet:
		return fmt.Sprintf("gave the hub %d rules and %d variables, so that it obeys", len(f.Rules), len(f.Variables))
	case *events.ApplicationSecretRotated:
		return fmt.Sprintf("has a new secret of application %s, good until %s", f.ApplicationID, f.Ends.UTC().Format("2006-01-02"))
	case *events.HubSecretsForgotten:
		return fmt.Sprintf("has its secrets forgotten, %d of them removed at the hub", f.Removed) + words(f.Detail)
	}
	return f.FactType()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
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
