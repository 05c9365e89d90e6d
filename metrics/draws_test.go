package metrics

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		at := rapid.SliceOfN(rapid.Int32Range(0, int32(rows-1)), 1, 20).Draw(t, "at")
		values := rapid.SliceOfN(number, len(at), len(at)).Draw(t, "values")
		got, want := make([]lanes, rows), make([]lanes, rows)
		for r := range got {
			for k := range got[r] {
				got[r][k] = number.Draw(t, "sum")
			}
		}
		copy(want, got)
		addTerms(got, &times, at, values)
		vectors = false
		addTerms(want, &times, at, values)
		vectors = true
		if !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
	})
}

// Who shares lots sees the draws of who has them alone, kept or made anew, whatever numbers they have.
func TestLots(t *testing.T) {
	const images, draws = 301, 5
	shared := NewLots(images, 7)
	a, b, alone := shared.first(draws), shared.first(draws), NewLots(images, 7).first(2*keptLots/images+1)
	next := func(of func([]int32)) []int32 {
		times := slices.Repeat([]int32{-1}, images)
		of(times)
		return times
	}
	var first, second, want [][]int32
	for range draws {
		first, want = append(first, next(a)), append(want, next(alone))
		if len(first)%2 == 0 {
			second = append(second, next(b), next(b))
		}
	}
	if d := cmp.Diff(want, first); d != "" {
		t.Errorf("kept: %s", d)
	}
	if d := cmp.Diff(want[:4], second); d != "" {
		t.Errorf("seen again: %s", d)
	}
	shared.made[2] = lot{wide: slices.Repeat([]int32{1000}, images)}
	if c := shared.first(draws); !slices.Equal(next(c), want[0]) || next(c) == nil || next(c)[9] != 1000 {
		t.Error("a draw of numbers that half a byte does not hold is another when it is seen again")
	}
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
	fill, made := NewLots(images, 1).first(68), newDraws(images)
	for _, n := range []int{together, 3, 1, together} {
		for name, stat := range stats {
			for _, d := range made.next(n, fill) {
				got, ok := stat(d)
				alone, ok2 := stat(Draw{Times: d.Times})
				if got != alone || ok != ok2 || !ok {
					t.Errorf("%s of draw %d of %d: %v, %v; alone %v, %v", name, d.at, n, got, ok, alone, ok2)
				}
			}
		}
	}
}
