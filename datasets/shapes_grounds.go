package datasets

// shapeGrounds names what things lie on.
var shapeGrounds = []string{"grass", "sand", "water", "bricks", "wood", "snow", "night sky"}

// groundAt is the colour of a ground at a pixel, before light and noise.
func groundAt(ground int, seed uint64, x, y int) [3]int {
	seed += uint64(ground) << 8
	soft := softNoise(seed, x, y, 4, 4) - 128
	fine := speckle(seed+1, x, y) - 128
	switch shapeGrounds[ground] {
	case "grass": // upright blades
		blade := softNoise(seed+2, x, y, 1, 4) - 128
		return shade([3]int{72, 118, 52}, soft/6+blade/3)
	case "sand": // grains and flat dunes
		dune := softNoise(seed+2, x, y, 5, 3) - 128
		return shade([3]int{206, 182, 132}, dune/8+fine/6)
	case "water": // long waves
		wave := softNoise(seed+2, x, y, 5, 2) - 128
		return shade([3]int{72, 138, 172}, wave/3+soft/8)
	case "bricks":
		row := y / 16
		bx, by := (x+row%2*16)%32, y%16
		if bx < 2 || by < 2 {
			return shade([3]int{178, 170, 160}, fine/10)
		}
		brick := speckle(seed+3, (x+row%2*16)/32, row) - 128
		return shade([3]int{150, 84, 66}, brick/6+fine/10)
	case "wood": // boards with a long grain
		grain := softNoise(seed+2, x, y, 6, 1) - 128
		if y%48 < 2 {
			return [3]int{70, 46, 26}
		}
		return shade([3]int{142, 100, 58}, grain/4+soft/10)
	case "snow":
		return shade([3]int{222, 228, 236}, soft/10+fine/24)
	default: // night sky: stars of a pixel or two
		if speckle(seed+4, x/2, y/2) > 252 {
			return [3]int{200, 200, 170}
		}
		return shade([3]int{24, 26, 52}, soft/12)
	}
}

// shade makes a colour lighter by d, darker if d is negative.
func shade(c [3]int, d int) [3]int { return [3]int{c[0] + d, c[1] + d, c[2] + d} }

// scratch draws thin strokes of any colour on the ground: things that no caption names.
func (s *shapeScene) scratch(c *canvas) {
	r := random(s.seed ^ 0x73637261746368)
	for range s.light.scratches {
		x, y := r.between(0, 16*ShapesSide), r.between(0, 16*ShapesSide)
		dx, dy := r.between(-16, 16), r.between(-16, 16)
		rgb := [3]int{r.below(256), r.below(256), r.below(256)}
		for range r.between(6, 28) {
			x, y = x+dx, y+dy
			if px, py := x>>4, y>>4; px >= 0 && py >= 0 && px < ShapesSide && py < ShapesSide {
				c.rgb[py*ShapesSide+px] = rgb
			}
		}
	}
}
