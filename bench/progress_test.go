package main

import (
	"bytes"
	"testing"
	"time"
)

func TestLeft(t *testing.T) {
	for _, test := range []struct {
		elapsed     time.Duration
		done, total int
		want        string
	}{
		{500 * time.Millisecond, 5, 10, ""}, // too early to tell
		{10 * time.Second, 0, 10, ""},
		{10 * time.Second, 10, 10, ""},
		{10 * time.Second, 2, 10, ", 40s left"},
		{10 * time.Second, 999, 1000, ", 1s left"},
		{10 * time.Second, 10, 100, ", 2m left"},
		{time.Hour, 10, 40, ", 3h0m left"},
	} {
		if got := left(test.elapsed, test.done, test.total); got != test.want {
			t.Errorf("%v, %d of %d: %q, want %q", test.elapsed, test.done, test.total, got, test.want)
		}
	}
}

// Nothing is drawn where no terminal is: what takes long says so in lines, ever less often.
func TestProgressIsQuiet(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	p.next = time.Now().Add(time.Hour)
	p.Start("measuring", 3)
	p.At(1)
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
	before := p.pause
	p.next = time.Now()
	p.At(2)
	p.At(3)
	p.finish()
	if b.String() != "ovbench: measuring: 2 of 3\n" || p.pause <= before {
		t.Errorf("%q, then a pause of %v", b.String(), p.pause)
	}
}
