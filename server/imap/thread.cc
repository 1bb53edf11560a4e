// A forest of nodes in one array: messages first, then ids that no message here has.
#include "server/imap/thread.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "server/imap/response.h"

namespace twinspool::imap {
namespace {

using Index = std::int32_t;
constexpr Index kNone = -1;

struct HashOfId {
  std::size_t operator()(const mime::MessageIdHash& id) const {
    std::size_t value = 0;  // they are hashes already
    std::memcpy(&value, id.data(), sizeof(value));
    return value;
  }
};

class Forest {
 public:
  explicit Forest(std::vector<ThreadMessage> messages) : messages_(std::move(messages)) {
    parent_.assign(messages_.size(), kNone);
    tree_.resize(messages_.size());
    std::iota(tree_.begin(), tree_.end(), 0);
  }

  void BySubject();
  void ByReferences();
  void JoinSubjects();
  /// Siblings by date sent; roots likewise, or by the latest arrival in each.
  void Sort(bool roots_by_arrival);
  std::string Text() const;

 private:
  bool IsMessage(Index node) const { return static_cast<std::size_t>(node) < messages_.size(); }
  const ThreadMessage& At(Index node) const { return messages_[static_cast<std::size_t>(node)]; }
  std::vector<Index>& Children(Index node) { return children_[static_cast<std::size_t>(node)]; }
  const std::vector<Index>& Children(Index node) const {
    return children_[static_cast<std::size_t>(node)];
  }
  Index& Parent(Index node) { return parent_[static_cast<std::size_t>(node)]; }

  // --- references
  Index NewNode();
  Index NodeOf(const mime::MessageIdHash& id);
  void Link(Index parent, Index child);
  Index TreeOf(Index node);
  bool MayBePlaced(Index node, std::size_t i) const;
  void LinkAll();
  void Prune();

  // --- subjects
  const std::string& SubjectOf(Index root) const { return At(First(root)).subject; }
  bool IsReply(Index root) const { return IsMessage(root) && At(root).reply; }
  /// A root's own message, or the first below one that has none.
  Index First(Index root) const { return IsMessage(root) ? root : Children(root).front(); }
  void JoinOne(Index root, Index* kept, std::vector<std::size_t>* place);

  bool SentBefore(Index a, Index b) const;
  std::vector<Index> TopDown() const;

  std::vector<ThreadMessage> messages_;
  std::unordered_map<mime::MessageIdHash, Index, HashOfId> ids_;
  std::vector<Index> parent_;
  std::vector<Index> tree_;  // disjoint sets: see TreeOf
  std::vector<std::vector<Index>> children_;
  std::vector<Index> roots_;
};

Index Forest::NewNode() {
  const auto node = static_cast<Index>(parent_.size());
  parent_.push_back(kNone);
  tree_.push_back(node);
  return node;
}

Index Forest::NodeOf(const mime::MessageIdHash& id) {
  const auto [at, added] = ids_.try_emplace(id, kNone);
  if (added) {
    at->second = NewNode();
  }
  return at->second;
}

/// A node that stands for the tree that `node` is in.
Index Forest::TreeOf(Index node) {
  while (tree_[static_cast<std::size_t>(node)] != node) {
    Index& above = tree_[static_cast<std::size_t>(node)];
    above = tree_[static_cast<std::size_t>(above)];
    node = above;
  }
  return node;
}

/// `child` has no parent: a circle would come about where both are in one tree.
void Forest::Link(Index parent, Index child) {
  const Index above = TreeOf(parent);
  const Index below = TreeOf(child);
  if (above != below) {
    Parent(child) = parent;
    tree_[static_cast<std::size_t>(below)] = above;
  }
}

/// Step 1 of REFERENCES. A message's own last reference overrules what others say of it, so these
/// come first: nothing has to be taken apart again, and trees only grow together.
void Forest::LinkAll() {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (!mime::IsNone(messages_[i].id)) {
      ids_.try_emplace(messages_[i].id, static_cast<Index>(i));  // of equal ids the first counts
    }
  }
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (!messages_[i].references.empty()) {
      Link(NodeOf(messages_[i].references.back()), static_cast<Index>(i));
    }
  }
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    Index before = kNone;
    for (const mime::MessageIdHash& id : messages_[i].references) {
      const Index node = NodeOf(id);
      if (before != kNone && Parent(node) == kNone && MayBePlaced(node, i)) {
        Link(before, node);
      }
      before = node;
    }
  }
}

/// Whether what message `i` says of `node` counts: the node is no message, or one that says nothing
/// itself and came before.
bool Forest::MayBePlaced(Index node, std::size_t i) const {
  return !IsMessage(node) || (At(node).references.empty() && static_cast<std::size_t>(node) < i);
}

/// Steps 2 and 3: ids without a message go, except a root that holds several messages together.
void Forest::Prune() {
  const std::size_t count = parent_.size();
  children_.assign(count, {});
  for (std::size_t i = 0; i < count; ++i) {
    if (parent_[i] != kNone) {
      Children(parent_[i]).push_back(static_cast<Index>(i));
    } else {
      roots_.push_back(static_cast<Index>(i));
    }
  }
  // Where the children of a node belong: it, or the nearest above it that stays.
  std::vector<Index> home(count, kNone);
  std::vector<std::vector<Index>> kept(count);
  for (const Index node : TopDown()) {
    const Index above =
        Parent(node) == kNone ? kNone : home[static_cast<std::size_t>(Parent(node))];
    const bool stays = IsMessage(node) || above == kNone;
    home[static_cast<std::size_t>(node)] = stays ? node : above;
    if (IsMessage(node) && above != kNone) {
      kept[static_cast<std::size_t>(above)].push_back(node);
    }
  }
  children_ = std::move(kept);
  std::vector<Index> roots;
  for (const Index root : roots_) {
    if (IsMessage(root) || Children(root).size() > 1) {
      roots.push_back(root);
    } else if (Children(root).size() == 1) {
      roots.push_back(Children(root).front());
    }
  }
  roots_ = std::move(roots);
}

void Forest::ByReferences() {
  LinkAll();
  Prune();
}

/// Nodes in an order in which each comes before those below it.
std::vector<Index> Forest::TopDown() const {
  std::vector<Index> order = roots_;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::vector<Index>& children = Children(order[i]);
    order.insert(order.end(), children.begin(), children.end());
  }
  return order;
}

// --- subjects

/// Step 5 for one root; `kept` is what stands for its subject so far, `place` where each root is.
void Forest::JoinOne(Index root, Index* kept, std::vector<std::size_t>* place) {
  const Index other = *kept;
  if (!IsMessage(other) && !IsMessage(root)) {
    std::vector<Index>& into = Children(other);
    into.insert(into.end(), Children(root).begin(), Children(root).end());
  } else if (!IsMessage(other) || (IsReply(root) && !IsReply(other))) {
    Children(other).push_back(root);
  } else {
    const Index both = NewNode();
    children_.push_back({other, root});
    place->push_back((*place)[static_cast<std::size_t>(other)]);
    roots_[place->back()] = both;
    *kept = both;
  }
  roots_[(*place)[static_cast<std::size_t>(root)]] = kNone;
}

void Forest::JoinSubjects() {
  std::unordered_map<std::string_view, Index> table;
  for (const Index root : roots_) {
    const std::string& subject = SubjectOf(root);
    if (subject.empty()) {
      continue;
    }
    const auto [at, added] = table.try_emplace(subject, root);
    const bool better = !added && IsMessage(at->second) &&
                        (!IsMessage(root) || (IsReply(at->second) && !IsReply(root)));
    if (better) {
      at->second = root;
    }
  }
  const std::vector<Index> before = roots_;
  std::vector<std::size_t> place(children_.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    place[static_cast<std::size_t>(before[i])] = i;
  }
  for (const Index root : before) {
    const auto at = table.find(SubjectOf(root));
    if (at != table.end() && at->second != root) {
      JoinOne(root, &at->second, &place);
    }
  }
  std::erase(roots_, kNone);
}

void Forest::BySubject() {
  children_.assign(messages_.size(), {});
  std::vector<Index> order(messages_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<Index>(i);
  }
  std::sort(order.begin(), order.end(), [this](Index a, Index b) {
    const int subjects = At(a).subject.compare(At(b).subject);
    return subjects != 0 ? subjects < 0 : SentBefore(a, b);
  });
  for (const Index node : order) {
    if (!roots_.empty() && At(roots_.back()).subject == At(node).subject) {
      Children(roots_.back()).push_back(node);
    } else {
      roots_.push_back(node);
    }
  }
}

// --- order and text

bool Forest::SentBefore(Index a, Index b) const {
  const ThreadMessage& left = At(First(a));
  const ThreadMessage& right = At(First(b));
  return std::pair(left.sent, left.number) < std::pair(right.sent, right.number);
}

void Forest::Sort(bool roots_by_arrival) {
  const auto by_sent = [this](Index a, Index b) { return SentBefore(a, b); };
  const std::vector<Index> order = TopDown();
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    std::sort(Children(*node).begin(), Children(*node).end(), by_sent);
  }
  if (!roots_by_arrival) {
    return std::sort(roots_.begin(), roots_.end(), by_sent);
  }
  std::vector<std::int64_t> latest(children_.size(), INT64_MIN);
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    std::int64_t& own = latest[static_cast<std::size_t>(*node)];
    own = IsMessage(*node) ? At(*node).arrived : own;
    for (const Index child : Children(*node)) {
      own = std::max(own, latest[static_cast<std::size_t>(child)]);
    }
  }
  std::sort(roots_.begin(), roots_.end(), [&](Index a, Index b) {
    const std::int64_t left = latest[static_cast<std::size_t>(a)];
    const std::int64_t right = latest[static_cast<std::size_t>(b)];
    return left != right ? left < right : SentBefore(a, b);
  });
}

std::string Forest::Text() const {
  // What is still to be written, the next at the end: a node that begins a list of its own, a node
  // that goes on in its parent's, or (kNone) a closing parenthesis.
  struct Todo {
    Index node;
    bool opens;
  };
  std::vector<Todo> todo;
  for (auto root = roots_.rbegin(); root != roots_.rend(); ++root) {
    todo.push_back({*root, true});
  }
  std::string out;
  while (!todo.empty()) {
    const Todo now = todo.back();
    todo.pop_back();
    if (now.node == kNone) {
      out += ')';
      continue;
    }
    if (now.opens) {
      out += '(';
      todo.push_back({kNone, false});
    }
    const std::vector<Index>& children = Children(now.node);
    if (IsMessage(now.node)) {
      AppendNumber(&out, At(now.node).number);
      out += children.empty() ? "" : " ";
    }
    const bool chain = children.size() == 1 && IsMessage(now.node);
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      todo.push_back({*child, !chain});
    }
  }
  return out;
}

}  // namespace

std::string Threads(ThreadAlgorithm algorithm, std::vector<ThreadMessage> messages) {
  Forest forest(std::move(messages));
  if (algorithm == ThreadAlgorithm::kOrderedSubject) {
    forest.BySubject();
  } else {
    forest.ByReferences();
  }
  if (algorithm == ThreadAlgorithm::kReferences) {
    forest.Sort(false);
    forest.JoinSubjects();
  }
  forest.Sort(algorithm == ThreadAlgorithm::kRefs);
  return forest.Text();
}

}  // namespace twinspool::imap
