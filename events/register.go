package events

// Register returns the codec of every fact in every version ever released.
func Register() *Codec {
	first := func(n func() Fact) Definition { return Definition{New: n, Schema: 1} }
	return NewCodec(
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
		first(func() Fact { return new(StepFailed) }),
		first(func() Fact { return new(Disconnected) }),
		first(func() Fact { return new(Reserved) }),
		first(func() Fact { return new(Released) }),
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
		first(func() Fact { return new(DeliveryAttempted) }),
		first(func() Fact { return new(Delivered) }),
		first(func() Fact { return new(DeliveryParked) }),
		first(func() Fact { return new(DeliveryResent) }),
	)
}
