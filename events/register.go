package events

import "slices"

// Register returns the codec of every fact in every version ever released.
func Register() *Codec { return NewCodec(slices.Concat(ofConnections(), ofConversations())...) }

func first(n func() Fact) Definition { return Definition{New: n, Schema: 1} }

// ofConnections are the facts of connections and reservations.
func ofConnections() []Definition {
	return []Definition{
		first(func() Fact { return new(ConnectionRequested) }),
		first(func() Fact { return new(AppRegistered) }),
		first(func() Fact { return new(ChannelEnabled) }),
		first(func() Fact { return new(ConnectionReady) }),
		first(func() Fact { return new(EndpointSet) }),
		first(func() Fact { return new(EndpointDisabled) }),
		first(func() Fact { return new(RulesAdopted) }),
		first(func() Fact { return new(OmnichannelSet) }),
		first(func() Fact { return new(RegionsOverridden) }),
		first(func() Fact { return new(HealthCheckSet) }),
		first(func() Fact { return new(PrerequisitesChecked) }),
		first(func() Fact { return new(ApplicationUserEnabled) }),
		first(func() Fact { return new(ApplicationUserDisabled) }),
		first(func() Fact { return new(BotPublished) }),
		first(func() Fact { return new(BotUnpublished) }),
		first(func() Fact { return new(HubChangesAllowed) }),
		first(func() Fact { return new(HubQueuesNamed) }),
		first(func() Fact { return new(MessagingEndpointSet) }),
		first(func() Fact { return new(HubRulesSet) }),
		first(func() Fact { return new(ApplicationSecretRotated) }),
		first(func() Fact { return new(HubSecretsForgotten) }),
		first(func() Fact { return new(StepFailed) }),
		first(func() Fact { return new(Disconnected) }),
		first(func() Fact { return new(Reserved) }),
		first(func() Fact { return new(Released) }),
	}
}

// ofConversations are the facts of conversations and deliveries.
func ofConversations() []Definition {
	return []Definition{
		first(func() Fact { return new(EscalationRaised) }),
		first(func() Fact { return new(EscalationContextAdded) }),
		first(func() Fact { return new(EscalationRouted) }),
		first(func() Fact { return new(EscalationDeadlineSet) }),
		first(func() Fact { return new(EscalationAccepted) }),
		first(func() Fact { return new(EscalationCompleted) }),
		first(func() Fact { return new(EscalationFailed) }),
		first(func() Fact { return new(EscalationExpired) }),
		first(func() Fact { return new(TranscriptStored) }),
		first(func() Fact { return new(TranscriptMissing) }),
		first(func() Fact { return new(ContextErased) }),
		first(func() Fact { return new(ContextRead) }),
		first(func() Fact { return new(EscalationQueued) }),
		first(func() Fact { return new(RouteConfirmed) }),
		first(func() Fact { return new(RouteOverruled) }),
		first(func() Fact { return new(HumanAgentJoined) }),
		first(func() Fact { return new(RelayStarted) }),
		first(func() Fact { return new(CheckRecognised) }),
		first(func() Fact { return new(BotConversationOpened) }),
		first(func() Fact { return new(BotConversationLost) }),
		first(func() Fact { return new(MessagesTaken) }),
		first(func() Fact { return new(MessageRelayed) }),
		first(func() Fact { return new(MessagesRefused) }),
		first(func() Fact { return new(RelayRested) }),
		first(func() Fact { return new(BotLeft) }),
		first(func() Fact { return new(HubCommanded) }),
		first(func() Fact { return new(BotTold) }),
		first(func() Fact { return new(RelayEnded) }),
		first(func() Fact { return new(DeliveryAttempted) }),
		first(func() Fact { return new(Delivered) }),
		first(func() Fact { return new(DeliveryParked) }),
		first(func() Fact { return new(DeliveryResent) }),
	}
}
