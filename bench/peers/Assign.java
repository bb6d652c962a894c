import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Assign ASSIGNOR equal|different ROUNDS: how long Kafka's own assignors take for the groups of bench/assignors/run.ts. A line
 * a step: its name, then milliseconds of assign() by round, the longest where a step takes several rebalances.
 */
public class Assign {
    static final int MEMBERS = 200;
    static final int PARTITIONS = 1000;

    public static void main(String[] args) {
        boolean equal = args[1].equals("equal");
        int topics = equal ? 1 : 10;
        Node node = new Node(0, "localhost", 9092);
        List<PartitionInfo> infos = new ArrayList<>();
        for (int topic = 0; topic < topics; topic++)
            for (int partition = 0; partition < PARTITIONS / topics; partition++)
                infos.add(new PartitionInfo("orders-" + topic, partition, node, new Node[] {node}, new Node[] {node}));
        Cluster cluster = new Cluster("c", List.of(node), infos, Collections.emptySet(), Collections.emptySet());
        String[] names = {"all start", "one joins", "one leaves"};
        List<StringBuilder> lines = List.of(new StringBuilder(), new StringBuilder(), new StringBuilder());
        for (int round = 0; round < Integer.parseInt(args[2]); round++) {
            Group group = new Group(args[0], cluster);
            for (int step = 0; step < names.length; step++) {
                if (step == 0) for (int member = 0; member < MEMBERS; member++) group.join(topicsOf(equal, member));
                if (step == 1) group.join(topicsOf(equal, 3));
                if (step == 2) group.leave();
                lines.get(step).append('\t').append(group.rebalance());
            }
        }
        for (int step = 0; step < names.length; step++) System.out.println(names[step] + lines.get(step));
    }

    static List<String> topicsOf(boolean equal, int member) {
        if (equal) return List.of("orders-0");
        List<String> names = new ArrayList<>();
        for (int index = 0; index < 7; index++) names.add("orders-" + (member + index) % 10);
        return names;
    }

    static ConsumerPartitionAssignor assignorOf(String name) {
        switch (name) {
            case "range": return new RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            default: return new CooperativeStickyAssignor();
        }
    }

    @SuppressWarnings("removal") // there is no other way to tell an assignor its generation
    static ConsumerGroupMetadata metadata(int generation, String memberId) {
        return new ConsumerGroupMetadata("g", generation, memberId, Optional.empty());
    }

    static class Member {
        final ConsumerPartitionAssignor assignor;
        final List<String> topics;
        List<TopicPartition> owned = List.of();
        int generation = -1;

        Member(ConsumerPartitionAssignor assignor, List<String> topics) {
            this.assignor = assignor;
            this.topics = topics;
        }
    }

    static class Group {
        final String name;
        final Cluster cluster;
        final TreeMap<String, Member> members = new TreeMap<>();
        int generation = 0;

        Group(String name, Cluster cluster) {
            this.name = name;
            this.cluster = cluster;
        }

        void join(List<String> topics) {
            String id = String.format("java-%08d-0000-4000-8000-000000000000", members.size() + 1);
            members.put(id, new Member(assignorOf(name), topics));
        }

        void leave() {
            members.pollLastEntry();
        }

        double rebalance() {
            boolean cooperative = name.equals("cooperative-sticky");
            double longest = 0;
            for (boolean again = true; again;) {
                generation++;
                Map<String, Subscription> subscriptions = new HashMap<>();
                members.forEach((id, member) -> subscriptions.put(id, new Subscription(member.topics,
                    member.assignor.subscriptionUserData(new java.util.HashSet<>(member.topics)),
                    cooperative ? member.owned : List.of(), member.generation, Optional.empty())));
                long start = System.nanoTime();
                Map<String, Assignment> assignment = members.firstEntry().getValue().assignor
                    .assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
                longest = Math.max(longest, (System.nanoTime() - start) / 1e6);
                again = false;
                for (Map.Entry<String, Member> entry : members.entrySet()) {
                    Member member = entry.getValue();
                    List<TopicPartition> now = assignment.get(entry.getKey()).partitions();
                    if (cooperative && !now.containsAll(member.owned)) again = true;
                    member.owned = now;
                    member.generation = generation;
                    member.assignor.onAssignment(assignment.get(entry.getKey()),
                        metadata(generation, entry.getKey()));
                }
            }
            return longest;
        }
    }
}
