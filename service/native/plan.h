// Memory plan of a call: maps that are not alive at the same time share memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "feature_map.h"

namespace dctnet {

// A map that is alive from step `first` to step `last`.
struct PlannedMap {
    Shape shape;
    int first, last;
    std::size_t offset = 0;
};

// Assigns each map the lowest free offset, the largest map first. Returns the total number of
// floats.
inline std::size_t assign_offsets(std::span<PlannedMap> maps) {
    std::vector<PlannedMap*> order;
    for (PlannedMap& map : maps) order.push_back(&map);
    std::ranges::stable_sort(
        order, [](auto* a, auto* b) { return a->shape.floats() > b->shape.floats(); });
    std::vector<PlannedMap*> assigned;  // by offset
    std::size_t total = 0;
    for (PlannedMap* map : order) {
        std::size_t offset = 0;
        for (const PlannedMap* other : assigned) {
            const bool together = map->first <= other->last && other->first <= map->last;
            if (together && offset + map->shape.floats() > other->offset)
                offset = std::max(offset, other->offset + other->shape.floats());
        }
        map->offset = offset;
        total = std::max(total, offset + map->shape.floats());
        assigned.insert(std::ranges::upper_bound(assigned, offset, {}, &PlannedMap::offset), map);
    }
    return total;
}

}  // namespace dctnet
