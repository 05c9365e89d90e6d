package mask

import (
	"encoding/json"
	"hash/crc32"
	"image"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// pillowMask is 1 where a polygon is filled, 0 elsewhere.
func pillowMask(points []image.Point, w, h int) []byte {
	mask := make([]byte, w*h)
	FillPillow(points, w, h, func(y, x0, x1 int) {
		for x := x0; x <= x1; x++ {
			mask[y*w+x] = 1
		}
	})
	return mask
}

// 950 random polygons, many with corners that are visited again, level edges and points outside the picture. testdata/
// cityscapes/make.py recorded what Pillow 13.0.0 paints; 350000 others were compared without being kept.
func TestPillowPolygon(t *testing.T) {
	data, err := os.ReadFile("../testdata/cityscapes/polygons.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		W, H   int
		Points [][2]int
		CRC    uint32
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) != 950 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for i, c := range cases {
		var points []image.Point
		for _, p := range c.Points {
			points = append(points, image.Pt(p[0], p[1]))
		}
		if got := crc32.ChecksumIEEE(pillowMask(points, c.W, c.H)); got != c.CRC {
			t.Errorf("polygon %d, %v in %dx%d: other pixels than Pillow's", i, points, c.W, c.H)
		}
	}
}

// The rule by pictures of it, each drawn by Pillow 13.0.0.
func TestPillowPolygonRule(t *testing.T) {
	for _, test := range []struct {
		name   string
		points []image.Point
		want   []string
	}{
		{"outline included", []image.Point{{1, 0}, {3, 0}, {3, 2}, {1, 2}}, []string{".###.", ".###.", ".###."}},
		{"level line", []image.Point{{3, 1}, {1, 1}}, []string{".....", ".###.", "....."}},
		{"point", []image.Point{{2, 1}, {2, 1}}, []string{".....", "..#..", "....."}},
		{"halves go inwards", []image.Point{{0, 0}, {1, 2}, {4, 2}, {3, 0}}, []string{"####.", ".###.", ".####"}},
		{"flat corner reaches the next row", []image.Point{{0, 0}, {4, 1}}, []string{"####.", ".####", "....."}},
		{"steeper of two at a corner", []image.Point{{0, 0}, {4, 1}, {3, 2}}, []string{"##...", "..###", "...#."}},
		{"no corner with an upright edge", []image.Point{{0, 1}, {0, 2}, {0, 1}, {3, 2}}, []string{".....", "###..",
			"####."}},
	} {
		got := pillowMask(test.points, 5, 3)
		for y, row := range test.want {
			for x := range row {
				if (row[x] == '#') != (got[y*5+x] == 1) {
					t.Errorf("%s: pixel %d,%d is %d, want row %s", test.name, x, y, got[y*5+x], row)
				}
			}
		}
	}
}

// Laws: a larger picture shows the same and more; points inside the picture are filled; stretches stay inside it.
func TestPillowPolygonLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 30).Draw(t, "w"), rapid.IntRange(1, 30).Draw(t, "h")
		coordinate := rapid.IntRange(-20, 50)
		var points []image.Point
		for range rapid.IntRange(2, 9).Draw(t, "n") {
			points = append(points, image.Pt(coordinate.Draw(t, "x"), coordinate.Draw(t, "y")))
		}
		small, large := pillowMask(points, w, h), pillowMask(points, w+11, h+7)
		for i, v := range small {
			if v != large[i/w*(w+11)+i%w] {
				t.Fatalf("pixel %d,%d depends on the size of the picture", i%w, i/w)
			}
		}
		for _, p := range points {
			if p.In(image.Rect(0, 0, w, h)) && small[p.Y*w+p.X] == 0 {
				t.Fatalf("corner %v is not filled", p)
			}
		}
	})
}

// An outline of 200 points over a picture as large as Cityscapes'.
func BenchmarkPillowPolygon(b *testing.B) {
	var points []image.Point
	for i := range 100 {
		points = append(points, image.Pt(i*20, 100+37*i%50))
	}
	for i := range 100 {
		points = append(points, image.Pt(2000-i*20, 800+53*i%50))
	}
	pixels := 0
	for b.Loop() {
		FillPillow(points, 2048, 1024, func(_, x0, x1 int) { pixels += x1 - x0 })
	}
}
