// kafka-go: a Reader in a group.
package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
	"samsa-bench/tally"
)

func main() {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{tally.Bootstrap}, GroupID: tally.Group, Topic: tally.Topic, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond, CommitInterval: 5 * time.Second,
	})
	for {
		message, err := reader.FetchMessage(context.Background())
		tally.Check(err)
		tally.Touch(message.Value, message.Key, message.Offset)
	}
}
