// Package tally is what every Go program here does with a record. Arguments: BOOTSTRAP TOPIC RECORDS GROUP.
package tally

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	Bootstrap = os.Args[1]
	Topic     = os.Args[2]
	Group     = os.Args[4]

	target, _                 = strconv.ParseInt(os.Args[3], 10, 64)
	mutex                     sync.Mutex
	records, bytes, lastBytes int64
	offsets                   uint32
	first                     time.Time
)

// Touch looks at value, key and offset, and ends the process after the last record. Not safe for several goroutines: see Lock.
func Touch(value, key []byte, offset int64) {
	if records == 0 {
		first = time.Now()
	}
	bytes += int64(len(value) + len(key))
	if len(value) > 0 {
		lastBytes += int64(value[len(value)-1])
	}
	offsets += uint32(offset)
	if records++; records == target {
		end()
	}
}

func Lock()   { mutex.Lock() }
func Unlock() { mutex.Unlock() }

func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func end() {
	seconds := time.Since(first).Seconds()
	startMs := -1.0
	if startedAt, err := strconv.ParseFloat(os.Getenv("STARTED_AT"), 64); err == nil {
		startMs = float64(first.UnixMicro())/1e3 - startedAt
	}
	fmt.Printf("{\"records\":%d,\"bytes\":%d,\"lastBytes\":%d,\"offsets\":%d,\"seconds\":%f,\"startMs\":%f}\n",
		records, bytes, lastBytes, offsets, seconds, startMs)
	os.Exit(0)
}
