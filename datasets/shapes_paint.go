package datasets

import "image"

// Pictures of shapes are painted in integers alone: floating-point arithmetic may be contracted on one machine and not
// on another, and the bytes are the same on all.

// ShapesSide is the width and height of a picture of shapes.
const ShapesSide = 192

// noThing is the owner of a pixel of the ground.
const noThing = -1

// canvas is a picture while it is painted: colours before light and noise, and who owns each pixel.
type canvas struct {
	rgb    [][3]int // row by row
	owner  []int8   // index of the thing, or noThing
	ground []int8   // index into scene.grounds
}

// paint makes the picture of a scene.
func (s *shapeScene) paint() *canvas {
	n := ShapesSide * ShapesSide
	c := &canvas{rgb: make([][3]int, n), owner: make([]int8, n), ground: make([]int8, n)}
	for i := range n {
		x, y := i%ShapesSide, i/ShapesSide
		if len(s.grounds) > 1 && y >= s.horizon+s.slope*x/ShapesSide {
			c.ground[i] = 1
		}
		g := s.grounds[c.ground[i]]
		c.rgb[i], c.owner[i] = groundAt(g, s.seed, x, y), noThing
	}
	s.scratch(c)
	for k := range s.things {
		s.things[k].paint(c, int8(k))
	}
	s.light.shine(c, s.seed)
	return c
}

// paint puts a thing on the canvas, nine points a pixel. It owns a pixel of which it covers five.
func (t *shapeThing) paint(c *canvas, index int8) {
	cos, sin := rotation(t.turn)
	for y := max((t.y-t.r)>>4, 0); y <= min((t.y+t.r)>>4, ShapesSide-1); y++ {
		for x := max((t.x-t.r)>>4, 0); x <= min((t.x+t.r)>>4, ShapesSide-1); x++ {
			hits, sum := 0, [3]int{}
			for sub := range 9 {
				// The middle of a ninth of the pixel, in 96ths of a pixel from the thing's middle, to keep it whole.
				dx, dy := 96*x+16+32*(sub%3)-6*t.x, 96*y+16+32*(sub/3)-6*t.y
				dx, dy = dx*unit/(6*t.r), dy*unit/(6*t.r)
				u, v := (dx*cos+dy*sin)>>14, (dy*cos-dx*sin)>>14
				if !t.figure.covers(u, v) {
					continue
				}
				hits++
				for ch, value := range t.painted(u, v) {
					sum[ch] += value
				}
			}
			if hits == 0 {
				continue
			}
			p := &c.rgb[y*ShapesSide+x]
			for ch := range p {
				p[ch] = (sum[ch] + p[ch]*(9-hits)) / 9
			}
			if hits >= 5 {
				c.owner[y*ShapesSide+x] = index
			}
		}
	}
}

// shine applies light and noise and brings every channel into 0..255.
func (l light) shine(c *canvas, seed uint64) {
	for i := range c.rgb {
		x, y := i%ShapesSide, i/ShapesSide
		gain := l.gain + l.fallX*(2*x-ShapesSide)/(2*ShapesSide) + l.fallY*(2*y-ShapesSide)/(2*ShapesSide)
		bits := mix(seed ^ 0x6e6f697365<<16 ^ uint64(i))
		for ch := range c.rgb[i] {
			v := c.rgb[i][ch]*gain>>8 + (int(bits>>(16*ch)&0xffff)*(2*l.noise+1))>>16 - l.noise
			c.rgb[i][ch] = min(max(v, 0), 255)
		}
	}
}

// picture is the canvas as 8-bit pixels.
func (c *canvas) picture() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, ShapesSide, ShapesSide))
	for i, p := range c.rgb {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = uint8(p[0]), uint8(p[1]), uint8(p[2]), 255
	}
	return img
}
