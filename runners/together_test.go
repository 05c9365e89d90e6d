package runners

import (
	"slices"
	"testing"

	"ovbench/runners/tensor"
)

// A pass takes along those of pictures of its size with its texts, in their order, as many as it may.
func TestLobby(t *testing.T) {
	texts, others := tensor.New(2, 3), tensor.New(2, 3)
	others.Data[0] = 1
	of := func(pictures, h int, texts tensor.Dense) *pass {
		p := &pass{shapes: [][]int{{pictures, 4, 2}}, byPicture: []bool{true, false}}
		p.in = append(p.in, float32s(tensor.New(pictures, 3, h, 8)), float32s(texts))
		return p
	}
	one, tall, other, three, equal := of(1, 8, texts), of(1, 16, texts), of(1, 8, others), of(3, 8, texts),
		of(1, 8, tensor.New(2, 3))
	var l lobby
	for _, p := range []*pass{one, tall, other, three, equal} {
		l.enter(p)
	}
	if got := l.take(equal, 3); !slices.Equal(got, []*pass{equal, one}) {
		t.Errorf("took %d passes, want the one that asked and the first", len(got))
	}
	if got := l.take(one, 3); got != nil {
		t.Errorf("took %d passes for one that was taken", len(got))
	}
	if got := l.take(three, 1); !slices.Equal(got, []*pass{three}) {
		t.Errorf("took %d passes for one that is more than all may be", len(got))
	}
	if !slices.Equal(l.waiting, []*pass{tall, other}) {
		t.Errorf("%d passes still wait, want 2", len(l.waiting))
	}
}
