package metrics

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Vectors add what the loop adds, to the last bit, and nothing else.
func TestAddTerms(t *testing.T) {
	if !vectors {
		t.Skip("no AVX2")
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 9).Draw(t, "rows")
		number := rapid.Float64Range(-1e9, 1e9)
		var times lanes
		for k := range times {
			times[k] = float64(rapid.IntRange(0, 9).Draw(t, "times"))
		}
		terms := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) term {
			return term{rapid.IntRange(0, rows-1).Draw(t, "row"), number.Draw(t, "value")}
		}), 1, 20).Draw(t, "terms")
		got, want := make([]lanes, rows), make([]lanes, rows)
		for r := range got {
			for k := range got[r] {
				got[r][k] = number.Draw(t, "sum")
			}
		}
		copy(want, got)
		addTerms(got, &times, terms)
		vectors = false
		addTerms(want, &times, terms)
		vectors = true
		if !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
	})
}

// Statistics see in a block of draws what they see of each draw alone, whichever they saw before.
func TestBlocksOfDraws(t *testing.T) {
	const images, classes = 40, 7
	stats := map[string]Statistic{}
	areas := areaRecords(t, classes, randomRecords(t, images, classes, 4))
	var err error
	if stats["areas"], err = areasStatistic(areas, classes, MMSeg.MIoU); err != nil {
		t.Fatal(err)
	}
	pool, err := NewAreaPool(classes, areas...)
	if err != nil {
		t.Fatal(err)
	}
	stats["means of classes"] = pool.ClassMeans(MMSeg)
	rng, made := rand.New(rand.NewPCG(1, 0)), newDraws(images)
	for _, n := range []int{together, 3, 1, together} {
		for name, stat := range stats {
			for _, d := range made.next(rng, n) {
				got, ok := stat(d)
				alone, ok2 := stat(Draw{Times: d.Times})
				if got != alone || ok != ok2 || !ok {
					t.Errorf("%s of draw %d of %d: %v, %v; alone %v, %v", name, d.at, n, got, ok, alone, ok2)
				}
			}
		}
	}
}
