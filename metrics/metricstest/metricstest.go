// Package metricstest answers: may a metric's images be split over workers and shards?
package metricstest

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovbench/metrics"
)

// Accumulator is what every metric of a data set is: records R of single images go in, scores
// come out. A is the implementing type itself.
type Accumulator[R, A any] interface {
	Add(R) error
	Merge(A) error
	Scores() []metrics.Score
}

// Laws checks that scores depend on the set of records alone: any split into parts and any
// order of merging gives exactly equal scores, and an empty accumulator changes nothing.
func Laws[R any, A Accumulator[R, A]](t *testing.T, empty func() A, record *rapid.Generator[R]) {
	t.Helper()
	t.Run("split and merge", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			records := rapid.SliceOfN(record, 0, 12).Draw(t, "records")
			want := scores(t, empty(), records)
			parts := make([][]R, rapid.IntRange(1, 5).Draw(t, "parts"))
			for _, r := range records {
				k := rapid.IntRange(0, len(parts)-1).Draw(t, "part")
				parts[k] = append(parts[k], r)
			}
			whole := empty()
			for _, k := range rapid.Permutation(indices(len(parts))).Draw(t, "order") {
				part := empty()
				add(t, part, parts[k])
				if err := whole.Merge(part); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "split", want, whole.Scores())
		})
	})
	t.Run("order", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			records := rapid.SliceOfN(record, 0, 12).Draw(t, "records")
			want := scores(t, empty(), records)
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			same(t, "order", want, scores(t, empty(), records))
		})
	})
	t.Run("empty", func(t *testing.T) {
		if got := empty().Scores(); len(got) != 0 {
			t.Errorf("an empty accumulator has scores %v", got)
		}
		rapid.Check(t, func(t *rapid.T) {
			a := empty()
			add(t, a, rapid.SliceOfN(record, 0, 4).Draw(t, "records"))
			want := a.Scores()
			if err := a.Merge(empty()); err != nil {
				t.Fatal(err)
			}
			same(t, "merging nothing", want, a.Scores())
		})
	})
	t.Run("fractions", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			for _, s := range scores(t, empty(), rapid.SliceOfN(record, 1, 4).Draw(t, "records")) {
				if !(s.Value >= 0 && s.Value <= 1) {
					t.Fatalf("%s = %v is not a fraction", s.Name, s.Value)
				}
			}
		})
	})
}

func scores[R any, A Accumulator[R, A]](t *rapid.T, a A, records []R) []metrics.Score {
	t.Helper()
	add(t, a, records)
	return a.Scores()
}

func add[R any, A Accumulator[R, A]](t *rapid.T, a A, records []R) {
	t.Helper()
	for _, r := range records {
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
}

// same compares exactly: equal records give equal bits.
func same(t *rapid.T, law string, want, got []metrics.Score) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s changes scores (-want +got):\n%s", law, diff)
	}
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
