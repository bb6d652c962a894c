// franz-go: PollFetches.
package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"samsa-bench/tally"
)

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(tally.Bootstrap), kgo.ConsumerGroup(tally.Group), kgo.ConsumeTopics(tally.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMinBytes(1), kgo.FetchMaxBytes(50<<20), kgo.FetchMaxPartitionBytes(1<<20),
	)
	tally.Check(err)
	for {
		fetches := client.PollFetches(context.Background())
		fetches.EachError(func(_ string, _ int32, err error) { tally.Check(err) })
		fetches.EachRecord(func(record *kgo.Record) { tally.Touch(record.Value, record.Key, record.Offset) })
	}
}
