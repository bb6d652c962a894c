// Sarama: a consumer group; a goroutine a claim, as its users have it.
package main

import (
	"context"

	"github.com/IBM/sarama"
	"samsa-bench/tally"
)

type handler struct{}

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		tally.Lock()
		tally.Touch(message.Value, message.Key, message.Offset)
		tally.Unlock()
		session.MarkMessage(message, "")
	}
	return nil
}

func main() {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Fetch.Min = 1
	config.Consumer.Fetch.Default = 1 << 20
	config.Consumer.Fetch.Max = 50 << 20
	group, err := sarama.NewConsumerGroup([]string{tally.Bootstrap}, tally.Group, config)
	tally.Check(err)
	for {
		tally.Check(group.Consume(context.Background(), []string{tally.Topic}, handler{}))
	}
}
