// A FIFO of connections threaded through their own table rows: no allocation, O(1) removal.
#ifndef RINGECHO_ENGINE_URING_SLOT_LIST_H_
#define RINGECHO_ENGINE_URING_SLOT_LIST_H_

#include <cassert>
#include <cstdint>

#include "base/slot_table.h"
#include "engine/uring/connection.h"

namespace ringecho::engine::uring {

// `kLinks` names which of a connection's links this list uses. A connection must be removed before
// its slot is freed.
template <Links Connection::*kLinks>
class SlotList {
 public:
  explicit SlotList(base::SlotTable<Connection>& table) : table_(table) {}

  bool empty() const { return head_ == kNoSlot; }
  uint32_t front() const { return head_; }
  uint32_t size() const { return size_; }
  uint32_t next(uint32_t slot) const { return (table_[slot].*kLinks).next; }

  // Does nothing when the connection is in the list already.
  void PushBack(uint32_t slot) {
    Links& links = table_[slot].*kLinks;
    if (links.linked) return;
    links = {.next = kNoSlot, .prev = tail_, .linked = true};
    (tail_ == kNoSlot ? head_ : (table_[tail_].*kLinks).next) = slot;
    tail_ = slot;
    ++size_;
  }

  // Does nothing when the connection is not in the list.
  void Remove(uint32_t slot) {
    Links& links = table_[slot].*kLinks;
    if (!links.linked) return;
    (links.prev == kNoSlot ? head_ : (table_[links.prev].*kLinks).next) = links.next;
    (links.next == kNoSlot ? tail_ : (table_[links.next].*kLinks).prev) = links.prev;
    links = {};
    --size_;
  }

  uint32_t PopFront() {
    assert(!empty());
    uint32_t slot = head_;
    Remove(slot);
    return slot;
  }

 private:
  base::SlotTable<Connection>& table_;
  uint32_t head_ = kNoSlot;
  uint32_t tail_ = kNoSlot;
  uint32_t size_ = 0;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_SLOT_LIST_H_
