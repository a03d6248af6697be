#include "base/slot_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace ringecho::base {
namespace {

struct Tracked {
  std::shared_ptr<int> owned = std::make_shared<int>(7);
};

TEST(SlotTableTest, AllocatesUpToItsCapacityAndNoFurther) {
  SlotTable<int> table(3);
  EXPECT_EQ(table.Allocate(), 0u);
  EXPECT_EQ(table.Allocate(), 1u);
  EXPECT_EQ(table.Allocate(), 2u);
  EXPECT_TRUE(table.full());
  EXPECT_EQ(table.Allocate(), SlotTable<int>::kNone);
  EXPECT_EQ(table.size(), 3u);
}

TEST(SlotTableTest, ReusesTheSlotFreedLast) {
  SlotTable<int> table(4);
  table.Allocate();
  table.Allocate();
  table.Allocate();
  table.Free(0);
  table.Free(2);
  EXPECT_EQ(table.Allocate(), 2u);
  EXPECT_EQ(table.Allocate(), 0u);
}

TEST(SlotTableTest, AStaleGenerationFindsNothing) {
  SlotTable<int> table(2);
  uint32_t slot = table.Allocate();
  uint32_t generation = table.generation(slot);
  EXPECT_NE(table.Find(slot, generation), nullptr);
  table.Free(slot);
  EXPECT_EQ(table.Find(slot, generation), nullptr) << "free";
  ASSERT_EQ(table.Allocate(), slot);
  EXPECT_EQ(table.Find(slot, generation), nullptr) << "another connection's";
  EXPECT_NE(table.Find(slot, table.generation(slot)), nullptr);
}

TEST(SlotTableTest, GenerationsAreComparedUnderTheMask) {
  SlotTable<int> table(1);
  for (int i = 0; i < 17; ++i) table.Free(table.Allocate());
  uint32_t slot = table.Allocate();
  ASSERT_EQ(table.generation(slot), 17u);
  EXPECT_NE(table.Find(slot, 1, 0xf), nullptr);
  EXPECT_EQ(table.Find(slot, 1, 0x1f), nullptr);
}

TEST(SlotTableTest, SlotsNeverUsedAreNotFound) {
  SlotTable<int> table(8);
  table.Allocate();
  EXPECT_EQ(table.Find(1, 0), nullptr);
  EXPECT_EQ(table.Find(1u << 30, 0), nullptr);
}

TEST(SlotTableTest, ObjectsAreMadeFreshAndDestroyed) {
  std::weak_ptr<int> first;
  std::weak_ptr<int> second;
  {
    SlotTable<Tracked> table(2);
    uint32_t slot = table.Allocate();
    first = table[slot].owned;
    table.Free(slot);
    EXPECT_TRUE(first.expired());
    slot = table.Allocate();
    EXPECT_EQ(*table[slot].owned, 7);
    second = table[slot].owned;
    EXPECT_FALSE(second.expired());
  }
  EXPECT_TRUE(second.expired()) << "the table's destructor destroys what is live";
}

TEST(SlotTableTest, ForEachVisitsLiveSlotsAndMayFreeThem) {
  SlotTable<int> table(8);
  for (int i = 0; i < 5; ++i) table[table.Allocate()] = i;
  table.Free(3);
  std::vector<int> seen;
  table.ForEach([&](uint32_t slot, int& value) {
    seen.push_back(value);
    table.Free(slot);
  });
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 4}));
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace ringecho::base
