// EC2's published token buckets ("Request throttling for the Amazon EC2 API") behind an address of this machine: enough
// of the query API for boto3 to create and attach volumes. /__reset fills the buckets and prints what was counted.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	latency   = 60 * time.Millisecond
	creation  = 4 * time.Second
	namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
)

type bucket struct {
	mutex                     sync.Mutex
	tokens, capacity, refills float64
	filled                    time.Time
}

func (b *bucket) take() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	now := time.Now()
	b.tokens = min(b.capacity, b.tokens+now.Sub(b.filled).Seconds()*b.refills)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

type server struct {
	mutex         sync.Mutex
	buckets       map[string]*bucket
	done, refused map[string]int
	volumes       atomic.Int64
	born          sync.Map
}

func (s *server) reset() {
	s.buckets = map[string]*bucket{}
	for action, of := range map[string][2]float64{
		"CreateVolume": {100, 5}, "AttachVolume": {50, 5}, "DescribeVolumes": {100, 20},
	} {
		s.buckets[action] = &bucket{tokens: of[0], capacity: of[0], refills: of[1], filled: time.Now()}
	}
	s.done, s.refused = map[string]int{}, map[string]int{}
}

func (s *server) taken(action string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if of := s.buckets[action]; of != nil && !of.take() {
		s.refused[action]++
		return false
	}
	s.done[action]++
	return true
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/__reset" {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		refused := 0
		for _, count := range s.refused {
			refused += count
		}
		fmt.Fprintf(w, `{"created": %d, "attached": %d, "throttled": %d}`, s.done["CreateVolume"], s.done["AttachVolume"], refused)
		s.reset()
		return
	}
	_ = r.ParseForm()
	action := r.Form.Get("Action")
	time.Sleep(latency)
	w.Header().Set("Content-Type", "text/xml")
	if !s.taken(action) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors></Response>`)
		return
	}
	fmt.Fprintf(w, `<%sResponse xmlns="%s"><requestId>x</requestId>%s</%sResponse>`, action, namespace, s.answer(action, r), action)
}

func (s *server) answer(action string, r *http.Request) string {
	switch action {
	case "CreateVolume":
		id := fmt.Sprintf("vol-%08d", s.volumes.Add(1))
		s.born.Store(id, time.Now())
		return fmt.Sprintf("<volumeId>%s</volumeId><status>creating</status>", id)
	case "DescribeVolumes":
		var items strings.Builder
		for key, values := range r.Form {
			if strings.HasPrefix(key, "VolumeId.") {
				state := "creating"
				if at, known := s.born.Load(values[0]); known && time.Since(at.(time.Time)) > creation {
					state = "available"
				}
				fmt.Fprintf(&items, "<item><volumeId>%s</volumeId><status>%s</status></item>", values[0], state)
			}
		}
		return "<volumeSet>" + items.String() + "</volumeSet>"
	}
	return "<status>attaching</status>"
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	flag.Parse()
	s := &server{}
	s.reset()
	panic(http.ListenAndServe(*address, s))
}
