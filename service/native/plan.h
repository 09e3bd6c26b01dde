// Where the maps of a call lie in its memory: those that are not alive at the same time share it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "feature_map.h"

namespace dctnet {

// A map that is written from step `first` on and read until step `last`.
struct Planned {
    Shape shape;
    int first, last;
    std::size_t offset = 0;
};

// Gives each map the lowest free offset, the largest first. Returns the floats that all of them
// take.
inline std::size_t place(std::span<Planned> maps) {
    std::vector<Planned*> order;
    for (Planned& map : maps) order.push_back(&map);
    std::ranges::stable_sort(
        order, [](auto* a, auto* b) { return a->shape.floats() > b->shape.floats(); });
    std::vector<Planned*> placed;  // by offset
    std::size_t total = 0;
    for (Planned* map : order) {
        std::size_t offset = 0;
        for (const Planned* other : placed) {
            const bool together = map->first <= other->last && other->first <= map->last;
            if (together && offset + map->shape.floats() > other->offset)
                offset = std::max(offset, other->offset + other->shape.floats());
        }
        map->offset = offset;
        total = std::max(total, offset + map->shape.floats());
        placed.insert(std::ranges::upper_bound(placed, offset, {}, &Planned::offset), map);
    }
    return total;
}

}  // namespace dctnet
