// Sends the records of standard input, a JSON object a line, with franz-go: BOOTSTRAP TOPIC CODEC HEADER.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	codecs := map[string]kgo.CompressionCodec{
		"none":   kgo.NoCompression(),
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Args[1]),
		kgo.DefaultProduceTopic(os.Args[2]),
		kgo.ProducerBatchCompression(codecs[os.Args[3]]),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	var records []*kgo.Record
	for lines.Scan() {
		var record struct{ Key, Value string }
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			log.Fatal(err)
		}
		records = append(records, &kgo.Record{
			Key:     []byte(record.Key),
			Value:   []byte(record.Value),
			Headers: []kgo.RecordHeader{{Key: os.Args[4], Value: []byte("franz-go")}},
		})
	}
	if err := client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		log.Fatal(err)
	}
}
